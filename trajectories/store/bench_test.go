package store_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/trajectories/store"
)

// trajectory is a log of the size that a team of seven makes: 43 messages, 14
// of them facts, 1 to 4 KB each. As in a team's, most of what is said has been
// said before in the same run: the texts are of 200 sentences of random words.
func trajectory(run string) []message.Envelope {
	random := rand.New(rand.NewChaCha8(sha256.Sum256([]byte(run))))
	var sentences []string
	for range 200 {
		text := "Readers of"
		for range 6 + random.IntN(6) {
			text += fmt.Sprintf(" %x", 4000+random.IntN(4000)*random.IntN(20))
		}
		sentences = append(sentences, text+". ")
	}
	said := func(role model.Role, n int) json.RawMessage {
		var b strings.Builder
		for b.Len() < n {
			b.WriteString(sentences[random.IntN(len(sentences))])
		}
		raw, _ := message.Marshal(model.Message{Role: role, Content: b.String()})
		return raw
	}
	log := []message.Envelope{{ID: "1", From: "user", To: "team", Kind: "task", Body: said(model.User, 1000)}}
	for seat := range 7 {
		brief := message.Root.Child(seat*2 + 1)
		add := func(id message.ID, kind message.Kind, body json.RawMessage, meta message.Meta) {
			log = append(log, message.Envelope{ID: id, From: "analyst/recent", Kind: kind, Body: body, Refs: []message.ID{"1", brief}, Meta: meta})
		}
		fact := func() message.Meta {
			return message.Meta{Digest: model.Digest("builtin", model.Request{Messages: []model.Message{{Content: run + string(brief)}}}),
				Model: "builtin", Attempts: 1, Usage: &message.Usage{InputTokens: 1000 + random.IntN(1000), OutputTokens: random.IntN(100)}}
		}
		system, _ := message.Marshal(model.Message{Role: model.System, Content: strings.Repeat(fmt.Sprintf("You are seat %d. ", seat), 120)})
		add(brief, "brief", said(model.User, 2000), message.Meta{})
		add(brief.Child(1), "prompt", system, message.Meta{})
		add(brief.Child(2), "prompt", said(model.User, 3000), message.Meta{})
		add(brief.Child(3), "reply", said(model.Assistant, 1000), fact())
		add(brief.Child(4), "result", said(model.User, 3000), fact())
		add(brief.Child(5), "plan", said(model.User, 1500), message.Meta{})
	}
	return log
}

// BenchmarkTrajectories writes whole runs, from begin to seal. It reports
// messages a second, facts a second and how long the slowest hundredth of their
// acknowledgements took, the processor time of a run, how large it is and what
// it takes on the disk.
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
				var took []time.Duration
				var mu sync.Mutex
				before := cpu(b)
				b.ResetTimer()
				var next atomic.Int64
				var wg sync.WaitGroup
				for range writers {
					wg.Go(func() {
						var waits []time.Duration
						defer func() {
							mu.Lock()
							took = append(took, waits...)
							mu.Unlock()
						}()
						for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
							r, err := s.Begin(b.Context(), task(fmt.Sprint("t", i)))
							if err != nil {
								b.Error(err)
								return
							}
							for _, e := range logs[i] {
								from := time.Now()
								if err := r.Append(b.Context(), e); err != nil {
									b.Error(err)
									return
								}
								if e.Fact() {
									waits = append(waits, time.Since(from))
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
				used := cpu(b) - before
				slices.Sort(took)
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
				info, err := os.Stat(p)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(b.N*len(logs[0]))/b.Elapsed().Seconds(), "messages/s")
				b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "facts/s")
				b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms")
				b.ReportMetric(used.Seconds()*1000/float64(b.N), "cpu-ms/op")
				b.ReportMetric(float64(bytes)/float64(b.N), "log-B/op")
				b.ReportMetric(float64(info.Size())/float64(b.N), "disk-B/op")
			})
		}
	}
}

// cpu is the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRead reads whole trajectories, and checks them.
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
