"""The formats of a report: HTML, Markdown, and the figure that both show."""
