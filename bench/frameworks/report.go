package main

import (
	"fmt"
	"io"
	"slices"
)

// report writes the medians as Markdown, each with its least and its most.
func report(w io.Writer, samples []sample) {
	for _, in := range settings {
		of := slices.DeleteFunc(slices.Clone(samples), func(m sample) bool { return m.Setting != in.name })
		if len(of) == 0 {
			continue
		}
		if in.memory {
			fmt.Fprintf(w, "\n**%s** (%d trajectories)\n\n| | peak memory, MB | calls at once |\n|---|---|---|\n", in.name, in.atOnce)
		} else {
			fmt.Fprintf(w, "\n**%s** (%d trajectories; of each, medians, least to most)\n\n", in.name, in.n)
			fmt.Fprintln(w, "| | CPU, ms | to net/http | to eino | allocations | kB allocated | kB sent | efficiency | peak MB | kB stored |")
			fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|")
		}
		for _, s := range sides {
			at := func(side string, f func(sample) float64) []float64 {
				var values []float64
				for _, m := range of {
					if m.Side == side {
						values = append(values, f(m))
					}
				}
				return values
			}
			this := func(f func(sample) float64) []float64 { return at(s.name, f) }
			if len(this(cpu)) == 0 {
				continue
			}
			if in.memory {
				fmt.Fprintf(w, "| %s | %s | %.0f |\n", s.name, spread("%.0f", this(peak)), slices.Max(this(func(m sample) float64 { return float64(m.MostCalls) })))
				continue
			}
			fmt.Fprintf(w, "| %s | %s | %s | %s | %.0f | %.0f | %.1f | %s | %.0f | %s |\n", s.name,
				spread("%.2f", this(cpu)), spread("%.2f", ratios(of, s.name, sides[0].name)), spread("%.2f", ratios(of, s.name, "eino")),
				median(this(func(m sample) float64 { return m.Allocations })), median(this(func(m sample) float64 { return m.Bytes }))/1e3,
				median(this(func(m sample) float64 { return m.Sent }))/1e3, spread("%.3f", this(func(m sample) float64 { return m.Efficiency })),
				median(this(peak)), stored(median(this(func(m sample) float64 { return m.Stored }))))
		}
	}
}

func cpu(m sample) float64  { return m.CPUMs }
func peak(m sample) float64 { return m.PeakMB }

// ratios are one side's processor times to another's, round by round: what else
// the machine did met both.
func ratios(samples []sample, of, to string) []float64 {
	base := map[int]float64{}
	for _, m := range samples {
		if m.Side == to {
			base[m.Round] = m.CPUMs
		}
	}
	var values []float64
	for _, m := range samples {
		if m.Side == of && base[m.Round] > 0 {
			values = append(values, m.CPUMs/base[m.Round])
		}
	}
	return values
}

func stored(bytes float64) string {
	if bytes == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", bytes/1e3)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return 0
	}
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

// spread is the median of values, with the least and the most of them.
func spread(format string, values []float64) string {
	if len(values) == 0 {
		return ""
	}
	text := fmt.Sprintf(format, median(values))
	if len(values) > 1 {
		text += fmt.Sprintf(" ("+format+" to "+format+")", slices.Min(values), slices.Max(values))
	}
	return text
}
