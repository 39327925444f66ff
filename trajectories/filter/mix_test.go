package filter

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestClasses: the bounds are exact, though thirds are not.
func TestClasses(t *testing.T) {
	outcome := map[byte]float64{'0': 0, '1': 1. / 3, '2': 2. / 3, '3': 1}
	for outcomes, want := range map[string]Class{
		"333333": Easy, "222222": Medium, "222223": Easy, "333300": Medium, "333301": Easy,
		"111111": Medium, "111110": Hard, "330000": Medium, "320000": Hard, "000000": Hard, "33333": "",
	} {
		o := NewOutcomes(6, ByPaper())
		for i := range len(outcomes) {
			o.Add(Judged{"t", outcome[outcomes[i]], 1 + outcome[outcomes[i]]})
		}
		o.Add(Judged{"t~", 1, 2})
		if got, _ := o.Class("t"); got != want {
			t.Errorf("%s is %q, want %q", outcomes, got, want)
		}
		d := Varied(o).(perTask).judge("t")
		vary := strings.Trim(outcomes, outcomes[:1]) != ""
		if (d.Reason == "") != (want != "" && vary) {
			t.Errorf("%s: %+v", outcomes, d)
		}
	}
	o := NewOutcomes(2, ByPaper()) // what comes after is not counted
	for _, outcome := range []float64{0, 0, 1, 1} {
		o.Add(Judged{"t", outcome, outcome})
	}
	if class, mean := o.Class("t"); class != Hard || mean != 0 {
		t.Errorf("%s, %v", class, mean)
	}
}

// TestDraw: a mix takes its shares, as many as the scarcest class allows and no
// one more; which tasks depends on the seed alone.
func TestDraw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := Mix{rapid.IntRange(0, 5).Draw(t, "easy"), rapid.IntRange(0, 5).Draw(t, "medium"), rapid.IntRange(1, 5).Draw(t, "hard")}
		tasks := map[string]Class{}
		for i, class := range []Class{Easy, Medium, Hard} {
			for n := range rapid.IntRange(0, 40).Draw(t, string(class)) {
				tasks[fmt.Sprintf("%d-%d", i, n)] = class
			}
		}
		d, err := m.Draw(tasks, 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		total, sum := 0, m[0]+m[1]+m[2]
		for i := range m {
			total += d.Taken[i]
			if d.Taken[i] > d.Have[i] {
				t.Fatalf("%v of %v", d.Taken, d.Have)
			}
		}
		if len(d.taken) != total {
			t.Fatalf("%d tasks are taken, %v are told", len(d.taken), d.Taken)
		}
		for i := range m {
			if off := d.Taken[i]*sum - total*m[i]; off >= sum || off <= -sum {
				t.Fatalf("%v is no %v", d.Taken, m)
			}
		}
		if _, err := m.Draw(tasks, total+1, 1); err == nil {
			t.Fatalf("a mix %v of %v takes %d, and could take more", m, d.Have, total)
		}
		again, err := m.Draw(tasks, total, 1)
		if err != nil || fmt.Sprint(again.taken) != fmt.Sprint(d.taken) {
			t.Fatalf("the same draw takes others: %v", err)
		}
	})
	tasks := map[string]Class{}
	for i := range 100 {
		tasks[fmt.Sprint("e", i)], tasks[fmt.Sprint("m", i)], tasks[fmt.Sprint("h", i)] = Easy, Medium, Hard
	}
	a, _ := Mix{3, 4, 3}.Draw(tasks, 50, 1)
	b, _ := Mix{3, 4, 3}.Draw(tasks, 50, 2)
	if a.Taken != [3]int{15, 20, 15} || fmt.Sprint(a.taken) == fmt.Sprint(b.taken) {
		t.Errorf("%v are taken, with both seeds the same: %v", a.Taken, fmt.Sprint(a.taken) == fmt.Sprint(b.taken))
	}
	for _, text := range []string{"", "3:4", "3:4:3:1", "3:-4:3", "a:b:c", "0:0:0", "3.5:1:1"} {
		if _, err := ParseMix(text); err == nil {
			t.Errorf("%q is taken for a mix", text)
		}
	}
}
