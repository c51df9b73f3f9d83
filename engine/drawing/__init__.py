"""Pictures of a plan: one drawing, written as DOT, Mermaid, JSON or text, or rendered as SVG or PNG."""
