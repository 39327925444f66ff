package rank

// Default returns the built-in rule: a fused score with constants, for people
// who have fitted nothing.
//
//	  0.35 · item_cf            whole history, neighbourhoods pruned to 20
//	+ 0.75 · item_cf_recent     last ten items
//	+ 0.40 · user_cf            nearest 50 users
//	− 1.10 · popularity         what of the three above is popularity alone
//	+ 2.20 · popularity · silence
//
// all as standard scores among the candidates. The three collaborative signals
// grow with an item's degree; taking popularity off leaves what they say about
// this user. The last line is the fall-back: silence is the share of candidates
// of whom no collaborative signal says anything ([Fallback]). Where it is more
// than a half, popularity speaks for an item instead of against it, and it
// speaks alone where nobody else does.
//
// The constants are those of a listwise softmax fitted on ml-latest-small, on up
// to ten interactions of each user before the 60% quantile of time
// (2009-11-17T01:21:52Z, 5,456 cases of 20 candidates, half with uniform and
// half with popular negatives), each strictly as of its moment, rounded to a
// twentieth. No user's last interaction is among them, so that leave-last-out
// tasks are never tuning cases. docs/constants.md tells more; this repeats it:
//
//	MARS_MEASURE=1 go test -v -run TestDefaultConstants ./eval/fit
func Default() Weights {
	return Weights{Version: WeightsVersion, Features: []Feature{
		{Signal: ItemCF, Form: Standardised, Scale: 1, Weight: 0.35},
		{Signal: ItemCFRecent, Form: Standardised, Scale: 1, Weight: 0.75},
		{Signal: UserCF, Form: Standardised, Scale: 1, Weight: 0.40},
		{Signal: Popularity, Form: Standardised, Scale: 1, Weight: -1.10},
		{Signal: Popularity, Form: Fallback, Scale: 1, Weight: 2.20},
	}}
}
