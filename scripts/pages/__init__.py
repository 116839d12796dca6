"""The HTML pages' one style and one chart."""
