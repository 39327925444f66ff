package stat

import (
	"cmp"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
)

// DefaultRounds is the number of rounds where none is given: enough for a p of
// .001 after a correction for ten comparisons.
const DefaultRounds = 10_000

// Config says how a panel is resampled. The zero value works.
type Config struct {
	Rounds  int    // bootstrap samples and sign flips; 0: 10,000
	Seed    uint64 // of both
	Workers int    // 0: one a processor
}

// Resampled is what the systems' means would have been with other users.
type Resampled struct {
	*Panel
	drawn   []float64 // by round, then by system: means over clusters drawn with replacement
	flipped []float64 // the same: sums with the clusters' signs at random
	exact   bool      // flipped holds each choice of signs once
}

// maxExact is the number of clusters at most of which all signs are tried.
const maxExact = 20

// Resample draws the clusters with replacement (Efron 1979) and flips their
// signs, all systems together, once for each round.
func (p *Panel) Resample(cfg Config) *Resampled {
	rounds := max(1, cmp.Or(cfg.Rounds, DefaultRounds))
	flips := rounds
	r := &Resampled{Panel: p}
	if n := len(p.cases); n <= maxExact && 1<<n <= rounds {
		r.exact, flips = true, 1<<n
	}
	r.drawn = make([]float64, rounds*p.systems)
	r.flipped = make([]float64, flips*p.systems)
	workers := cmp.Or(cfg.Workers, runtime.GOMAXPROCS(0))
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			counts := make([]uint16, len(p.cases))
			for round := w; round < max(rounds, flips); round += workers {
				if round < rounds {
					p.draw(r.drawn[round*p.systems:][:p.systems], counts, rand.NewPCG(cfg.Seed, uint64(2*round+1)))
				}
				if round < flips && r.exact {
					p.flip(r.flipped[round*p.systems:][:p.systems], func(c int) uint64 { return uint64(round) >> c })
				} else if round < flips {
					random, bits := rand.NewPCG(cfg.Seed, uint64(2*round+2)), uint64(0)
					p.flip(r.flipped[round*p.systems:][:p.systems], func(c int) uint64 {
						if c&63 == 0 {
							bits = random.Uint64()
						}
						return bits >> (c & 63)
					})
				}
			}
		})
	}
	wait.Wait()
	return r
}

// draw sets means to those over as many clusters as there are, drawn with
// replacement. Counts is room to count in.
func (p *Panel) draw(means []float64, counts []uint16, source rand.Source) {
	clear(counts)
	random := rand.New(source)
	for range counts {
		counts[random.IntN(len(counts))]++
	}
	cases := 0
	for c, times := range counts {
		if times == 0 {
			continue
		}
		cases += int(times) * int(p.cases[c])
		for s, sum := range p.sums[c*p.systems:][:p.systems] {
			means[s] += float64(float64(times) * sum)
		}
	}
	for s := range means {
		means[s] /= float64(cases)
	}
}

// flip sets sums to those over all clusters, negative where a sign's lowest bit
// is set. Signs are asked for in the order of the clusters.
func (p *Panel) flip(sums []float64, sign func(cluster int) uint64) {
	for c := range p.cases {
		row := p.sums[c*p.systems:][:p.systems]
		if sign(c)&1 == 1 {
			for s, sum := range row {
				sums[s] -= sum
			}
		} else {
			for s, sum := range row {
				sums[s] += sum
			}
		}
	}
}

// Interval returns the 95% percentile interval of a system's mean.
func (r *Resampled) Interval(system int) (low, high float64) {
	return r.interval(func(round []float64) float64 { return round[system] })
}

func (r *Resampled) interval(value func(round []float64) float64) (low, high float64) {
	values := make([]float64, 0, len(r.drawn)/r.systems)
	for round := range slices.Chunk(r.drawn, r.systems) {
		values = append(values, value(round))
	}
	slices.Sort(values)
	return quantile(values, 0.025), quantile(values, 0.975)
}

// quantile interpolates between the order statistics.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	below := int(at)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}
