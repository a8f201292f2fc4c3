"""The component library's commands: what `python -m apps.components` does."""
