"""The report of a run: gathering its content, and rendering it as HTML or Markdown."""
