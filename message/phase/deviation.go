package phase

import "fmt"

// Deviation is one thing that a parser repaired, or left aside, because it has
// only one reading. A reply with deviations is as valid as one without; they
// tell how well a model keeps to the form.
type Deviation struct {
	Kind   string `json:"kind"`   // bom, think, fence, prose, trailing comma, single quotes, ...
	Offset int    `json:"offset"` // bytes from the start of the reply, of the first of its kind and detail
	Detail string `json:"detail"`
}

// String is "trailing comma at 17: ...".
func (d Deviation) String() string { return fmt.Sprintf("%s at %d: %s", d.Kind, d.Offset, d.Detail) }

// maxDeviations bounds what is noted of one reply.
const maxDeviations = 50

// notes collects deviations, equal ones once.
type notes struct{ list []Deviation }

func (n *notes) add(kind string, at int, format string, args ...any) {
	detail := fmt.Sprintf(format, args...)
	for _, d := range n.list {
		if d.Kind == kind && d.Detail == detail {
			return
		}
	}
	if len(n.list) < maxDeviations {
		n.list = append(n.list, Deviation{kind, at, detail})
	}
}
