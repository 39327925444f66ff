package traces_test

import (
	"fmt"
	"strings"

	"github.com/mars-rec/mars/trajectories/traces"
)

// The spans of a run, each below the one that it is within. An Exporter sends
// them to a collector.
func ExampleSpans() {
	for _, s := range traces.Spans(small(), traces.Config{}) {
		fmt.Printf("%6s  %s%s\n", s.End.Sub(s.Start), strings.Repeat("  ", strings.Count(string(s.Path), ".")), s.Name)
	}
	// Output:
	//   3.5s  invoke_workflow team
	//   1.2s    invoke_agent planner
	//     1s      chat gpt-x
	//   1.6s    invoke_agent analyst/recent
	//  500ms      chat builtin
	//  250ms      execute_tool item_cf
}
