package main

import (
	"slices"
	"strings"
)

// single refuses what is no one question: of several statements SQLite would
// answer the last alone, and some make files.
func single(query string) error {
	var words []string // the first of each statement
	for _, s := range statements(query) {
		if fields := strings.Fields(s); len(fields) > 0 {
			words = append(words, strings.ToUpper(fields[0]))
		}
	}
	for _, word := range words {
		if slices.Contains([]string{"ATTACH", "DETACH", "VACUUM"}, word) {
			return hinted(usagef("%s is no question: mars sql opens and makes no other file", word), "mars unpack makes a plain SQLite file for programs of your own")
		}
	}
	if len(words) > 1 {
		return hinted(usagef("there are %d statements: want one", len(words)), "give them one by one")
	}
	return nil
}

// statements cuts a query at the semicolons that stand outside of quotes and
// comments, and leaves the comments out. https://www.sqlite.org/lang_comment.html
func statements(query string) []string {
	closing := map[byte]string{'\'': "'", '"': "\"", '`': "`", '[': "]"}
	var all []string
	var b strings.Builder
	for query != "" {
		n := 1
		switch end, quoted := closing[query[0]]; {
		case strings.HasPrefix(query, "--"):
			query = query[through(query, 2, "\n"):]
			b.WriteByte('\n')
			continue
		case strings.HasPrefix(query, "/*"):
			query = query[through(query, 2, "*/"):]
			b.WriteByte(' ')
			continue
		case quoted:
			n = through(query, 1, end) // a doubled quote begins the next
		case query[0] == ';':
			all = append(all, b.String())
			b.Reset()
			query = query[1:]
			continue
		}
		b.WriteString(query[:n])
		query = query[n:]
	}
	return append(all, b.String())
}

// through returns where the text goes on behind the next end, searched from a
// place on: its length if there is none.
func through(s string, from int, end string) int {
	if i := strings.Index(s[from:], end); i >= 0 {
		return from + i + len(end)
	}
	return len(s)
}
