package filter

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Mix is the shares of easy, medium and hard tasks, as whole numbers.
type Mix [3]int

// ParseMix reads a mix, "3:4:3".
func ParseMix(text string) (Mix, error) {
	var m Mix
	parts := strings.Split(text, ":")
	sum := 0
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 || n > 1000 || len(parts) != len(m) {
			return m, fmt.Errorf("%q is no mix: want easy:medium:hard in whole numbers, such as 3:4:3", text)
		}
		m[i] = n
		sum += n
	}
	if sum == 0 {
		return m, fmt.Errorf("%q is no mix: it takes no task", text)
	}
	return m, nil
}

// String is the form that [ParseMix] reads.
func (m Mix) String() string { return fmt.Sprintf("%d:%d:%d", m[0], m[1], m[2]) }

// apportion parts a total among the classes: the nearest whole numbers that sum
// up to it, by largest remainders, of equal ones the easier class first.
func (m Mix) apportion(total int) [3]int {
	sum := m[0] + m[1] + m[2]
	var out [3]int
	places := []int{0, 1, 2}
	left := total
	for i := range m {
		out[i] = total * m[i] / sum
		left -= out[i]
	}
	slices.SortStableFunc(places, func(a, b int) int { return cmp.Compare(total*m[b]%sum, total*m[a]%sum) })
	for _, i := range places[:left] {
		out[i]++
	}
	return out
}

// most is the largest total that there are tasks for.
func (m Mix) most(have [3]int) int {
	sum, total := m[0]+m[1]+m[2], -1
	for i, share := range m {
		if bound := (have[i] + 1) * sum; share > 0 {
			if bound /= share; total < 0 || bound < total {
				total = bound
			}
		}
	}
	for ; total > 0; total-- {
		out := m.apportion(total)
		if out[0] <= have[0] && out[1] <= have[1] && out[2] <= have[2] {
			break
		}
	}
	return total
}

// Drawn is the tasks that a mix takes.
type Drawn struct {
	Have  [3]int `json:"have"` // easy, medium and hard tasks that there are
	Taken [3]int `json:"taken"`
	taken map[string]bool
}

// Draw takes tasks, by class, in the shares of the mix: so many in all, or as
// many as the scarcest class allows (total 0). Which ones depends on the seed
// and on their ids alone, not on their order.
func (m Mix) Draw(tasks map[string]Class, total int, seed int64) (Drawn, error) {
	d := Drawn{taken: map[string]bool{}}
	var lists [3][]string
	for task, class := range tasks { // in any order: they are sorted by their draw
		i := slices.Index([]Class{Easy, Medium, Hard}, class)
		if i < 0 {
			return d, fmt.Errorf("task %s is of the class %q", task, class)
		}
		lists[i] = append(lists[i], task)
	}
	for i := range lists {
		d.Have[i] = len(lists[i])
	}
	most := m.most(d.Have)
	if total > most {
		return d, fmt.Errorf("there are %d easy, %d medium and %d hard tasks: a mix of %s takes %d of them at most, and not %d", d.Have[0], d.Have[1], d.Have[2], m, most, total)
	}
	if total == 0 {
		total = most
	}
	d.Taken = m.apportion(total)
	for i, list := range lists {
		slices.SortFunc(list, func(a, b string) int {
			return cmp.Or(bytes.Compare(lot(seed, a), lot(seed, b)), cmp.Compare(a, b))
		})
		for _, task := range list[:d.Taken[i]] {
			d.taken[task] = true
		}
	}
	return d, nil
}

// lot is what a name has drawn.
func lot(seed int64, name string) []byte {
	h := sha256.New()
	binary.Write(h, binary.BigEndian, seed) //nolint:errcheck // a hash does not fail
	h.Write([]byte(name))
	return h.Sum(nil)
}

// Mixed keeps the tasks that a mix has taken.
func Mixed(m Mix, d Drawn, o *Outcomes) Filter {
	return perTask{"mix " + m.String(), func(task string) Drop {
		class, _ := o.Class(task)
		if d.taken[task] {
			return Drop{}
		}
		return Drop{fmt.Sprintf("the mix takes no more %s tasks", class), ""}
	}}
}
