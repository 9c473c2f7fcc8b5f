"""Features of a text, such as "inside quotation marks", with a value for each character."""
