"""What operators do with stored runs: prove them, look at their past, export and import them, remove old ones."""
