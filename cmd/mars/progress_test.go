package main

import (
	"bytes"
	"testing"
	"time"
)

// TestProgressInAPipe holds the plain lines: the first at once, then one every
// few seconds, the last at the end; what was done before counts as done but
// not as speed.
func TestProgressInAPipe(t *testing.T) {
	clock := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var out bytes.Buffer
	a := &app{stderr: &out, now: func() time.Time { return clock }}
	p := a.progress("synth", 610, thousands)
	p.Skip(10)
	for range 6 {
		clock = clock.Add(2 * time.Second)
		p.Extra("%d failed", 3)
		p.Add(50)
	}
	p.Close()
	p.Close()
	want := "synth: 0/610 (0%)\n" +
		"synth: 160/610 (26%), 6s, 18s left, 3 failed\n" +
		"synth: 310/610 (50%), 12s, 12s left, 3 failed\n" +
		"synth: 310/610 (50%), 12s, 3 failed\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestProgressIsSilentWithJSON(t *testing.T) {
	var out bytes.Buffer
	clock := time.Unix(0, 0)
	a := &app{stderr: &out, json: true, now: func() time.Time { return clock }}
	p := a.progress("import", 0, byteSize)
	p.Total(10)
	clock = clock.Add(time.Minute)
	p.Add(10)
	p.notef("note")
	p.Close()
	if out.Len() > 0 {
		t.Errorf("got %q, want nothing", out.String())
	}
}

func TestAmounts(t *testing.T) {
	for _, c := range []struct {
		n             int64
		count, volume string
	}{
		{0, "0", "0 B"},
		{999, "999", "999 B"},
		{1000, "1,000", "1.0 kB"},
		{100836, "100,836", "100.8 kB"},
		{-1234, "-1,234", ""},
		{2483723, "2,483,723", "2.5 MB"},
		{5_000_000_000_000, "5,000,000,000,000", "5.0 TB"},
		{5_000_000_000_000_000, "5,000,000,000,000,000", "5000.0 TB"},
	} {
		if got := thousands(c.n); got != c.count {
			t.Errorf("thousands(%d) = %q, want %q", c.n, got, c.count)
		}
		if got := byteSize(c.n); c.n >= 0 && got != c.volume {
			t.Errorf("byteSize(%d) = %q, want %q", c.n, got, c.volume)
		}
	}
}
