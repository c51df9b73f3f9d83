"""Plans that were compiled before, kept in the user's cache and taken again while everything they were made of is the same."""
