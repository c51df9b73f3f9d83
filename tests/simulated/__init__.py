"""The real loop, store and admission in a world where everything goes wrong that can, by a seed."""
