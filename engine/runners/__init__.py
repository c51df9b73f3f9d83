"""How attempts are executed. `engine.runners.local` has the runner for this machine."""
