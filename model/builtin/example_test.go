package builtin_test

import (
	"context"
	"fmt"

	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/builtin"
)

// The teacher reads the candidates from the schema and the evidence from the
// prompt, whatever else the prompt says.
func Example() {
	teacher := builtin.New(builtin.Config{})
	prompt := "Which of these?\n" + phase.WriteEvidence([]phase.Evidence{{Signal: "item_cf_recent", Ranking: []phase.Strength{
		{Label: "c02", Level: 9, Score: 0.31}, {Label: "c03", Level: 3, Score: 0.12}, {Label: "c01"},
	}}})
	reply, err := teacher.Generate(context.Background(), model.Request{
		Messages: []model.Message{{Role: model.User, Content: prompt}},
		Format:   &model.Format{Name: "recommend", Schema: phase.RecommendSchema([]string{"c01", "c02", "c03"})},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	recommend, _, err := phase.ParseRecommend(reply.Message.Content, []string{"c01", "c02", "c03"})
	fmt.Println(recommend.Ranking, err)
	// Output: [c02 c03 c01] <nil>
}
