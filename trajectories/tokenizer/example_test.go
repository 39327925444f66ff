package tokenizer_test

import (
	"fmt"

	"github.com/mars-rec/mars/trajectories/tokenizer"
)

func Example() {
	t, err := tokenizer.Load("testdata/tiny.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	text := "Emma, c02:7<|im_end|>"
	for _, token := range t.Encode(text) {
		fmt.Printf("%d %q\n", token.ID, text[token.Start:token.End])
	}
	// Output:
	// 355 "Emm"
	// 64 "a"
	// 11 ","
	// 220 " "
	// 431 "c02:7"
	// 422 "<|im_end|>"
}
