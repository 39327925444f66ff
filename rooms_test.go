package mars_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mars-rec/mars"

// room is a package's place in the house: which of our packages it may import
// itself, and which it must never reach, even through others. A name stands
// for the package and all below it, unless it ends in ".": then for itself.
type room struct{ may, never []string }

var everyone = []string{"agents", "orchestrator", "trajectories", "star", "eval", "viewer", "cmd"}

var rooms = map[string]room{
	"message":             {may: []string{"message/rawjson"}},
	"message/rawjson":     {},
	"message/membus":      {may: []string{"message."}},
	"message/natsbus":     {may: []string{"message."}, never: []string{"model", "agents"}},
	"message/messagetest": {may: []string{"message."}},
	"message/phase":       {may: []string{"message.", "message/rawjson"}},

	"model":               {may: []string{"message.", "message/rawjson"}, never: []string{"tools", "agents", "tasks"}},
	"model/transport":     {may: []string{"model.", "message/rawjson"}, never: []string{"tools", "agents", "tasks"}},
	"model/budget":        {may: []string{"model.", "message.", "message/rawjson"}, never: []string{"tools", "agents", "tasks"}},
	"model/cache":         {may: []string{"model.", "message."}, never: []string{"tools", "agents", "tasks"}},
	"model/openai":        {may: []string{"model.", "message.", "message/rawjson", "model/transport"}, never: []string{"tools", "agents", "tasks"}},
	"model/langchain":     {may: []string{"model.", "message.", "model/transport"}, never: []string{"tools", "agents", "tasks"}},
	"model/builtin":       {may: []string{"model.", "message.", "message/phase", "graph/rank"}, never: []string{"tools", "agents", "tasks"}},
	"model/openai/server": {may: []string{"model.", "message.", "internal/guard"}, never: []string{"tools", "agents", "tasks"}},
	"model/genai":         {may: []string{"model."}, never: []string{"tools", "agents", "tasks"}},
	"model/modeltest":     {may: []string{"model.", "message."}, never: []string{"tools", "agents", "tasks"}},

	"model/openai/openaitest": {never: []string{"model", "tools", "agents", "tasks"}},

	"internal/guard":      {},
	"internal/api":        {may: []string{"internal/guard"}},
	"internal/atomicfile": {},
	"internal/selfsum":    {},
	"internal/inorder":    {},
	"internal/collector":  {},

	"tasks":                  {may: []string{"message.", "message/phase", "message/rawjson", "graph."}, never: append([]string{"model", "tools", "tasks/gold"}, everyone...)},
	"tasks/taskstest":        {may: []string{"message.", "tasks.", "graph."}, never: append([]string{"model", "tools", "tasks/gold"}, everyone...)},
	"tasks/gold":             {may: []string{"tasks.", "graph."}, never: append([]string{"model", "tools"}, everyone...)},
	"tasks/datasets":         {may: []string{"tasks.", "tasks/datasets/formats", "graph."}, never: append([]string{"model", "tools", "tasks/gold"}, everyone...)},
	"tasks/datasets/formats": {may: []string{"tasks.", "graph."}, never: append([]string{"model", "tools", "tasks/gold"}, everyone...)},
	"tasks/datasets/world":   {may: []string{"tasks."}, never: append([]string{"model", "tools", "tasks/gold"}, everyone...)},

	"graph":          {},
	"graph/rank":     {may: []string{"graph."}},
	"graph/ego":      {may: []string{"graph."}},
	"graph/powerlaw": {may: []string{"graph."}},

	"tools":           {may: []string{"message.", "message/rawjson", "model.", "tasks."}, never: append([]string{"tasks/gold"}, everyone...)},
	"tools/toolstest": {may: []string{"message.", "model.", "tasks.", "tools.", "graph.", "tasks/taskstest"}, never: append([]string{"tasks/gold"}, everyone...)},
	"tools/translate": {may: []string{"message.", "tasks.", "tools.", "graph", "message/phase"}, never: append([]string{"tasks/gold"}, everyone...)},
	"tools/cf":        {may: []string{"message.", "tasks.", "tools", "graph", "message/phase", "model."}, never: append([]string{"tasks/gold"}, everyone...)},
	"tools/catalog":   {may: []string{"message.", "tasks.", "tools", "graph", "message/phase"}, never: append([]string{"tasks/gold"}, everyone...)},
	"tools/stored":    {may: []string{"message.", "message/phase", "model.", "tasks.", "tools.", "graph"}, never: append([]string{"tasks/gold"}, everyone...)},
	"tools/langchain": {may: []string{"message/phase", "model.", "tasks.", "tools."}, never: append([]string{"tasks/gold"}, everyone...)},

	"agents":       {may: []string{"message.", "model.", "tools."}, never: []string{"orchestrator", "trajectories", "tasks/gold"}},
	"agents/roles": {may: []string{"agents.", "message.", "message/phase", "model.", "tools.", "tasks.", "graph."}, never: []string{"orchestrator", "trajectories", "tasks/gold"}},

	"orchestrator": {may: []string{"agents.", "message.", "message/membus", "message/phase", "model.", "tools.", "tasks."},
		never: []string{"trajectories", "agents/roles", "tasks/gold", "model/openai", "model/langchain", "model/builtin"}},
	"orchestrator/ledger": {may: []string{"orchestrator.", "message.", "tasks.", "trajectories.", "trajectories/store"}, never: []string{"agents/roles", "tools/cf", "tools/catalog", "tasks/gold"}},
	"orchestrator/cluster": {may: []string{"orchestrator.", "agents.", "message.", "model.", "model/budget", "tasks."},
		never: []string{"trajectories", "agents/roles", "tasks/gold", "model/openai", "model/langchain", "model/builtin"}},

	"orchestrator/monitor": {may: []string{"orchestrator.", "message.", "model.", "model/genai", "tasks.", "tools."},
		never: []string{"trajectories", "agents/roles", "tasks/gold", "model/openai", "model/langchain", "model/builtin"}},

	"trajectories":           {may: []string{"message.", "message/rawjson", "message/phase", "model.", "tools.", "tasks."}, never: []string{"agents", "orchestrator", "tasks/gold"}},
	"trajectories/store":     {may: []string{"internal/inorder", "message.", "message/rawjson", "trajectories.", "tools.", "tasks."}, never: []string{"agents", "orchestrator", "tasks/gold"}},
	"trajectories/overview":  {may: []string{"message.", "model.", "model/genai", "tools.", "trajectories.", "trajectories/store"}, never: []string{"agents", "orchestrator", "tasks/gold"}},
	"trajectories/traces":    {may: []string{"message.", "model.", "model/genai", "tools.", "trajectories."}, never: []string{"agents", "orchestrator", "tasks/gold"}},
	"trajectories/reward":    {may: []string{"message.", "message/phase", "model.", "trajectories.", "tasks.", "tasks/gold", "eval/metric"}, never: []string{"agents", "orchestrator"}},
	"trajectories/tokenizer": {},
	"trajectories/mask":      {may: []string{"message.", "message/phase", "model.", "trajectories/tokenizer"}, never: []string{"agents", "orchestrator", "tasks/gold"}},
	"trajectories/filter":    {may: []string{"internal/inorder", "message.", "message/rawjson", "model.", "trajectories.", "trajectories/mask", "trajectories/reward", "trajectories/store", "trajectories/tokenizer", "tasks.", "tasks/gold"}, never: []string{"agents", "orchestrator"}},
	"trajectories/export":    {may: []string{"internal/inorder", "message.", "message/rawjson", "message/phase", "model.", "trajectories.", "trajectories/filter", "trajectories/mask", "trajectories/reward", "trajectories/tokenizer", "tasks.", "tasks/gold", "eval/metric"}, never: []string{"agents", "orchestrator"}},

	"star":          {may: []string{"agents.", "message.", "message/phase", "model.", "tools.", "tasks.", "trajectories."}, never: []string{"agents/roles", "orchestrator", "tasks/gold"}},
	"star/client":   {},
	"star/pipeline": {may: []string{"star/training."}, never: []string{"agents", "orchestrator", "model", "graph", "tasks", "trajectories"}},
	"star/service": {may: []string{"graph.", "graph/rank", "internal/api", "internal/guard", "message.", "message/phase", "model.", "star.", "star/client", "tasks.", "tools.", "trajectories."},
		never: []string{"agents/roles", "orchestrator", "tasks/gold"}},
	"star/environment": {may: []string{"model.", "tools.", "tasks.", "tasks/gold", "trajectories.", "trajectories/reward"}, never: []string{"agents", "orchestrator"}},
	"star/environment/environmenttest": {may: []string{"message/phase", "model.", "tools", "tasks.", "tasks/gold", "tasks/taskstest", "trajectories", "star/environment."},
		never: []string{"agents", "orchestrator"}},
	"star/environment/rest": {may: []string{"internal/guard", "internal/api", "message.", "model.", "tasks.", "star/environment."}, never: []string{"agents", "orchestrator"}},
	"star/environment/ors":  {may: []string{"internal/guard", "message.", "model.", "tasks.", "star/environment."}, never: []string{"agents", "orchestrator"}},
	"star/environment/mcp":  {may: []string{"internal/guard", "tools.", "star/environment."}, never: []string{"agents", "orchestrator"}},

	"star/trainer":  {},
	"star/training": {may: []string{"star/trainer"}, never: []string{"agents", "orchestrator", "tasks", "model", "tools", "trajectories"}},

	"eval": {may: []string{"tasks.", "tasks/gold", "graph", "eval/metric", "eval/stat", "trajectories", "model.", "star/client"}, never: []string{"agents", "orchestrator", "tools/cf", "tools/catalog"}},
	"eval/audit": {may: []string{"message.", "model.", "tasks.", "tasks/gold", "graph.", "trajectories.", "trajectories/store", "trajectories/export", "trajectories/filter", "internal/atomicfile"},
		never: []string{"agents", "orchestrator", "tools/cf", "tools/catalog"}},
	"eval/metric": {},
	"eval/stat":   {},
	"eval/plot":   {},
	"eval/report": {may: []string{"eval.", "eval/stat", "eval/metric", "eval/plot"}, never: []string{"agents", "orchestrator"}},
	"eval/fit":    {may: []string{"tasks.", "tasks/gold", "graph", "eval/metric"}, never: []string{"agents", "orchestrator", "model"}},
}

// open are the folders whose packages wire the others and may import all.
var open = []string{"cmd", "examples", "bench"}

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func TestRooms(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if name == "" || slices.ContainsFunc(open, func(o string) bool { return within(name, o) }) {
			continue
		}
		r, ok := rooms[name]
		if !ok {
			t.Errorf("%s has no room: say in rooms_test.go what it may import", name)
			continue
		}
		for _, i := range ours(p.Imports) {
			if i != "internal/atomicfile" && i != "internal/selfsum" && !slices.ContainsFunc(r.may, func(m string) bool { return within(i, m) }) {
				t.Errorf("%s imports %s: it may import %v", name, i, r.may)
			}
		}
		for _, d := range ours(p.Deps) {
			if slices.ContainsFunc(r.never, func(n string) bool { return within(d, n) }) {
				t.Errorf("%s reaches %s, which it must never", name, d)
			}
		}
	}
}

func TestEveryRoomIsBuilt(t *testing.T) {
	var names []string
	for _, p := range packages(t) {
		names = append(names, strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/"))
	}
	for name := range rooms {
		if !slices.Contains(names, name) {
			t.Errorf("rooms_test.go speaks of %s, which does not exist", name)
		}
	}
}

func packages(t *testing.T) []pkg {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func ours(imports []string) []string {
	var names []string
	for _, i := range imports {
		if name, ok := strings.CutPrefix(i, module+"/"); ok {
			names = append(names, name)
		}
	}
	return names
}

func within(name, place string) bool {
	if itself, ok := strings.CutSuffix(place, "."); ok {
		return name == itself
	}
	return name == place || strings.HasPrefix(name, place+"/")
}
