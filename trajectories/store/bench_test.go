package store_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/trajectories/store"
)

// trajectory is a log of the size that a team of seven makes: 43 messages, 15
// of them facts, 1 to 4 KB each.
func trajectory(run string) []message.Envelope {
	var log []message.Envelope
	long := func(id message.ID, n int) json.RawMessage {
		b, _ := message.Marshal(model.Message{Role: model.User, Content: strings.Repeat(fmt.Sprintf("%s %s: Readers of The Three-Body Problem also read Dune. ", run, id), n/60)})
		return b
	}
	log = append(log, message.Envelope{ID: "1", From: "user", To: "team", Kind: "task", Body: long("1", 1000)})
	for seat := range 7 {
		brief := message.Root.Child(seat*2 + 1)
		add := func(id message.ID, kind message.Kind, body json.RawMessage, meta message.Meta) {
			log = append(log, message.Envelope{ID: id, From: "analyst/recent", Kind: kind, Body: body, Refs: []message.ID{"1", brief}, Meta: meta})
		}
		fact := message.Meta{Digest: strings.Repeat("d", 72), Model: "builtin", Attempts: 1, Usage: &message.Usage{InputTokens: 1000, OutputTokens: 100}}
		system, _ := message.Marshal(model.Message{Role: model.System, Content: strings.Repeat(fmt.Sprintf("You are seat %d. ", seat), 120)})
		add(brief, "brief", long(brief, 2000), message.Meta{})
		add(brief.Child(1), "prompt", system, message.Meta{})
		add(brief.Child(2), "prompt", long(brief.Child(2), 3000), message.Meta{})
		add(brief.Child(3), "reply", long(brief.Child(3), 1000), fact)
		add(brief.Child(4), "result", long(brief.Child(4), 3000), fact)
		add(brief.Child(5), "plan", long(brief.Child(5), 1500), message.Meta{})
	}
	return log
}

// BenchmarkTrajectories writes whole runs, from begin to seal. It reports rows
// a second, how large a trajectory is and what it takes on the disk.
func BenchmarkTrajectories(b *testing.B) {
	for _, step := range []bool{false, true} {
		for _, writers := range []int{1, 16, 256} {
			b.Run(fmt.Sprintf("step=%v/writers=%d", step, writers), func(b *testing.B) {
				m := manifest
				p := path(b)
				s, err := store.Open(b.Context(), p, store.Config{Manifest: &m, Step: step})
				if err != nil {
					b.Fatal(err)
				}
				logs := make([][]message.Envelope, b.N)
				bytes := 0
				for i := range logs {
					logs[i] = trajectory(fmt.Sprint("t", i))
					for _, e := range logs[i] {
						bytes += len(e.Canonical())
					}
				}
				b.ResetTimer()
				var next atomic.Int64
				var wg sync.WaitGroup
				for range writers {
					wg.Go(func() {
						for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
							r, err := s.Begin(b.Context(), task(fmt.Sprint("t", i)))
							if err != nil {
								b.Error(err)
								return
							}
							for _, e := range logs[i] {
								if err := r.Append(b.Context(), e); err != nil {
									b.Error(err)
									return
								}
							}
							if err := r.Seal(b.Context(), []string{"i1", "i2", "i3"}); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.StopTimer()
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
				info, err := os.Stat(p)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(b.N*len(logs[0]))/b.Elapsed().Seconds(), "rows/s")
				b.ReportMetric(float64(bytes)/float64(b.N), "log-B/op")
				b.ReportMetric(float64(info.Size())/float64(b.N), "disk-B/op")
			})
		}
	}
}

// BenchmarkRead reads whole trajectories, all hashes and the seal checked.
func BenchmarkRead(b *testing.B) {
	p := path(b)
	s := create(b, p)
	for i := range 20 {
		r, err := s.Begin(b.Context(), task(fmt.Sprint("t", i)))
		if err != nil {
			b.Fatal(err)
		}
		fill(b, r, trajectory(fmt.Sprint("t", i)))
		if err := r.Seal(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
	}
	for i := 0; b.Loop(); i++ {
		if _, err := s.Trajectory(b.Context(), fmt.Sprint("t", i%20)); err != nil {
			b.Fatal(err)
		}
	}
}
