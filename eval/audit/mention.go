package audit

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/tasks/gold"
)

// A candidate is named by its label wherever a tool speaks of it, and it stands
// in no history, since nobody can be asked about what the user has already. So a
// right item that a result names without its label, or that stands behind a
// date, was seen in the future.

// answerKeys are names that no result of a tool has reason to use.
var answerKeys = []string{"gold", "ground_truth", "groundtruth", "target", "answer", "label_true", "next_item", "is_gold"}

// tellMention adds what a tool's result tells of the right items beside what it
// may tell of every candidate.
func (b *book) tellMention(id string, place Place, tool, text string, c gold.Case) {
	var value any
	if json.Unmarshal([]byte(text), &value) != nil {
		return // an error, in words
	}
	for _, item := range c.Gold.Items {
		label, _ := c.Task.Label(item)
		if key, ok := alone(value, item, label); ok {
			at := max(0, strings.Index(text, quoted(item)))
			b.add(Finding{Check: checkGold, Severity: Error, Case: id, Place: place.at(at), Bytes: excerpt(text, at),
				What: fmt.Sprintf("the result of %s names the right item %s under %q without its label, as no other candidate is named", tool, item, key)})
		}
	}
	if key, ok := answering(value); ok {
		at := max(0, strings.Index(text, quoted(key)))
		b.add(Finding{Check: checkGold, Severity: Error, Case: id, Place: place.at(at), Bytes: excerpt(text, at),
			What: fmt.Sprintf("the result of %s has a field %q", tool, key)})
	}
}

func quoted(s string) string {
	q, err := message.Marshal(s)
	if err != nil {
		return s
	}
	return string(q)
}

// alone reports under which key a result names an item without its label.
func alone(v any, item, label string) (string, bool) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if key, ok := alone(e, item, label); ok {
				return key, true
			}
		}
	case map[string]any:
		for _, key := range []string{"item", "id", "item_id"} {
			if v[key] == item && (label == "" || v["label"] != label) {
				return key, true
			}
		}
		for _, key := range sortedKeys(v) {
			if list, ok := v[key].([]any); ok && (key == "items" || key == "history") && slices.Contains(list, any(item)) {
				return key, true
			}
			if found, ok := alone(v[key], item, label); ok {
				return found, true
			}
		}
	}
	return "", false
}

// answering reports a field whose name says that it holds the answer.
func answering(v any) (string, bool) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if key, ok := answering(e); ok {
				return key, true
			}
		}
	case map[string]any:
		for _, key := range sortedKeys(v) {
			if slices.Contains(answerKeys, strings.ToLower(key)) {
				return key, true
			}
			if found, ok := answering(v[key]); ok {
				return found, true
			}
		}
	}
	return "", false
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// dated is what stands before an item in a history: the day of the event.
var dated = regexp.MustCompile(`\d{4}-\d\d-\d\d (\\?")?$`)

// tellHistory adds where a text lists a right item as something that the user
// had. title is the item's; had says that the user really had an item of that
// title before.
func (b *book) tellHistory(id string, place Place, text, title string, had bool) {
	if had || title == "" {
		return
	}
	for from := 0; ; {
		i := strings.Index(text[from:], title)
		if i < 0 {
			return
		}
		at := from + i
		from = at + len(title)
		if from < len(text) && wordByte(text[from]) || !dated.MatchString(text[max(0, at-13):at]) {
			continue
		}
		b.add(Finding{Check: checkGold, Severity: Error, Case: id, Place: place.at(at), Bytes: excerpt(text, at),
			What: "the right item stands in a history, behind the day of an event"})
		return
	}
}
