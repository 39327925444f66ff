// Command remote seats an agent that lives in another process: a ranker that is
// reached over NATS. Its answer is recorded as one fact, so the run is replayed
// without it. Here a NATS server and the ranker run within the example, each
// with a connection of its own.
//
//	go run ./examples/remote
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/mars-rec/mars/agents/roles"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/natsbus"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model/builtin"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/tools/catalog"
	"github.com/mars-rec/mars/tools/cf"
	"github.com/mars-rec/mars/trajectories"
)

// rank is the agent in the other process. All that it knows is the brief: it
// counts in how many signals a candidate is among the best.
func rank(_ context.Context, q message.Envelope) (message.Envelope, error) {
	brief, err := message.Decode[phase.Brief](q)
	if err != nil {
		return message.Envelope{}, err
	}
	votes := map[string]int{}
	for _, analysis := range brief.Analyses {
		for _, evidence := range analysis.Evidence {
			for _, s := range evidence.Ranking {
				votes[s.Label] += 0 // also of a candidate that never is
				if s.Level >= 7 {
					votes[s.Label]++
				}
			}
		}
	}
	var labels []string
	for label := range votes {
		labels = append(labels, label)
	}
	slices.SortFunc(labels, func(a, b string) int { return cmp.Or(cmp.Compare(votes[b], votes[a]), cmp.Compare(a, b)) })
	body, err := message.Marshal(phase.Recommend{Ranking: labels, Justification: fmt.Sprintf("%s has %d votes.", labels[0], votes[labels[0]])})
	return message.Envelope{Kind: phase.Recommend{}.Kind(), Body: body}, err
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) error {
	url, stop, err := serve()
	if err != nil {
		return err
	}
	defer stop()
	theirs, err := nats.Connect(url)
	if err != nil {
		return err
	}
	defer theirs.Close()
	if err := natsbus.New(theirs, natsbus.Config{}).Serve(ctx, "ranker", rank); err != nil {
		return err
	}
	ours, err := nats.Connect(url)
	if err != nil {
		return err
	}
	defer ours.Close()

	source, task := taskstest.Library()
	cfg := orchestrator.Config{
		Source:  source,
		Tools:   slices.Concat(cf.Tools(cf.Config{}), catalog.Tools(catalog.Config{})),
		Model:   orchestrator.Model{Name: "builtin", Model: builtin.New(builtin.Config{})},
		Cast:    roles.New(roles.Config{}).Cast,
		Outside: map[message.Address]message.Bus{"ranker": natsbus.New(ours, natsbus.Config{})},
	}
	team, err := orchestrator.New(cfg)
	if err != nil {
		return err
	}
	rec := &trajectories.Recorder{}
	result, err := team.Run(ctx, task, rec, nil)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "ranking:", result.Ranking)
	fmt.Fprintln(w, "because:", result.Justification)

	// Again from the record: nobody is asked.
	cfg.Outside = map[message.Address]message.Bus{"ranker": nil}
	if team, err = orchestrator.New(cfg); err != nil {
		return err
	}
	again := &trajectories.Recorder{}
	if _, err := team.Run(ctx, task, again, trajectories.Replay(rec.Trajectory(trajectories.Run{ID: task.ID, Task: task}))); err != nil {
		return err
	}
	fmt.Fprintln(w, "replayed without the ranker, equal:", trajectories.Seal(again.Log()) == trajectories.Seal(rec.Log()))
	return nil
}

// serve runs a NATS server on a free port of this machine.
func serve() (url string, stop func(), err error) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true})
	if err != nil {
		return "", nil, err
	}
	s.Start()
	stop = func() { s.Shutdown(); s.WaitForShutdown() }
	if !s.ReadyForConnections(10 * time.Second) {
		stop()
		return "", nil, errors.New("the NATS server does not start")
	}
	return s.ClientURL(), stop, nil
}
