package cf_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/tools/cf"
	"github.com/mars-rec/mars/tools/translate"
)

func ExampleTools() {
	source, task := taskstest.Library()
	view, err := source.View(task)
	if err != nil {
		fmt.Println(err)
		return
	}
	set, err := tools.Open(view, cf.Tools(cf.Config{Words: translate.Words{Verb: "read"}, Told: 2})...)
	if err != nil {
		fmt.Println(err)
		return
	}
	tool, _ := set.Find("item_cf")
	value, err := tool.Call(context.Background(), json.RawMessage(`{"window":"last:3"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	var result cf.ItemResult
	if err := json.Unmarshal(value, &result); err != nil {
		fmt.Println(err)
		return
	}
	for _, sentence := range result.Evidence {
		fmt.Println(sentence)
	}
	fmt.Println(result.Rankings[0].Signal, result.Rankings[0].Ranking[:3])
	// Output:
	// By what goes together with the user's last 3 items: first c05 "Book 29 of travel", then c03 "Book 17 of travel", then c04 "Book 5 of travel"; nothing speaks for c01, c02, c06, c07, c08, c09, c10, c11, c12.
	// 2 of them speak for c05 "Book 29 of travel", nearest "Book 7 of classics". Users who read "Book 7 of classics" also read c05 "Book 29 of travel": 2 of 6 (33%), 1.4 times what chance would give; thin: only 2 users in common; 1 of the 2 rated it 4 or more.
	// 1 of them speaks for c03 "Book 17 of travel", nearest "Book 22 of classics". Users who read "Book 22 of classics" also read c03 "Book 17 of travel": 2 of 6 (33%), 2.6 times what chance would give; thin: only 2 users in common; 0 of the 2 rated it 4 or more.
	// item_cf_last [c05:9=0.5241 c03:6=0.3651 c04:5=0.3086]
}
