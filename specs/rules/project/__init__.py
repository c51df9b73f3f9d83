"""The checks of flows side by side, one module for each family; all of them together are `specs.project.check_project`."""
