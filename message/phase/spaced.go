package phase

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Spaced writes JSON as Python's json.dumps does with ensure_ascii=False:
// ", " and ": " between tokens, on one line, keys in the order given, numbers
// as they are written. Chat templates that render arguments from objects write
// them so, and a training row must hold the very text that serving will see.
func Spaced(raw json.RawMessage) (string, error) {
	if !json.Valid(raw) {
		return "", fmt.Errorf("%s is no JSON", quote(string(raw)))
	}
	out := make([]byte, 0, len(raw)+len(raw)/8)
	for i := 0; i < len(raw); {
		switch c := raw[i]; c {
		case '"':
			end := stringEnd(raw, i)
			var s string
			if err := json.Unmarshal(raw[i:end], &s); err != nil {
				return "", err
			}
			out = appendPython(out, s)
			i = end
			continue
		case ' ', '\t', '\r', '\n':
		case ',', ':':
			out = append(out, c, ' ')
		default:
			out = append(out, c)
		}
		i++
	}
	return string(out), nil
}

// stringEnd returns the offset after the string that starts at i.
func stringEnd(raw []byte, i int) int {
	for i++; raw[i] != '"'; i++ {
		if raw[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// appendPython writes a string with the escapes that json.dumps uses, and no
// others.
func appendPython(out []byte, s string) []byte {
	out = append(out, '"')
	for _, r := range s {
		switch r {
		case '"', '\\':
			out = append(out, '\\', byte(r))
		case '\n':
			out = append(out, `\n`...)
		case '\r':
			out = append(out, `\r`...)
		case '\t':
			out = append(out, `\t`...)
		case '\b':
			out = append(out, `\b`...)
		case '\f':
			out = append(out, `\f`...)
		default:
			if r < ' ' {
				out = fmt.Appendf(out, `\u%04x`, r)
			} else {
				out = utf8.AppendRune(out, r)
			}
		}
	}
	return append(out, '"')
}
