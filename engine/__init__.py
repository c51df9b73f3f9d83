"""The runtime: model -> plan -> decisions -> events -> effects."""
