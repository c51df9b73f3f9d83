"""Connectors: typed actions that flows `use`, run in a host process of their own."""
