package builtin

import (
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
)

// drawn returns the weights that a request is answered with. At a temperature t
// above 0 they are a draw of the request's seed: the weight of each ranking that
// was found, used by the rule or not, changes by t times a standard normal,
//
//	w' = w + t·z,  z ~ N(0, 1),
//
// where w is the weight of its standard scores. So each sample trusts other
// evidence than the last, as those of a language model do, and says so; which
// sample was right is for others to find out. At 0, or where no temperature is
// given, the weights are the model's own.
func (m *Model) drawn(req model.Request, found map[string]phase.Evidence) rank.Weights {
	t := temperature(req)
	if t == 0 {
		return m.weights
	}
	var seed int64
	if req.Sampling.Seed != nil {
		seed = *req.Sampling.Seed
	}
	draw := rand.New(rand.NewPCG(uint64(seed), 0x6275696c74696e)) // "builtin"
	w := m.weights
	w.Features = slices.Clone(w.Features)
	for _, signal := range slices.Sorted(maps.Keys(found)) {
		w.Features = append(w.Features, rank.Feature{
			Signal: signal, Form: rank.Standardised, Scale: 1, Weight: t * draw.NormFloat64(),
		})
	}
	return w
}

// temperature of the request; 0 where none, or none above 0, is given.
func temperature(req model.Request) float64 {
	if req.Sampling.Temperature == nil {
		return 0
	}
	return max(0, *req.Sampling.Temperature)
}
