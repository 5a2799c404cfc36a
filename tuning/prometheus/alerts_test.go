// Package prometheus has tests only: of the alerts and of what the dashboard asks. That
// they name metrics there are is tested in engine, which has them.
package prometheus

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

type group struct {
	Name  string `yaml:"name"`
	Rules []rule `yaml:"rules"`
}

type rule struct {
	Alert       string            `yaml:"alert,omitempty"`
	Record      string            `yaml:"record,omitempty"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels,omitempty"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

// TestEveryAlertSaysWhatToDo and how urgent it is, and waits a moment.
func TestEveryAlertSaysWhatToDo(t *testing.T) {
	text, err := os.ReadFile("alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Groups []group }
	if err := yaml.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, g := range all.Groups {
		for _, r := range g.Rules {
			severity := r.Labels["severity"]
			if r.Alert == "" || seen[r.Alert] || r.For == "" || severity != "page" &&
				severity != "ticket" || r.Annotations["summary"] == "" ||
				r.Annotations["runbook"] == "" {
				t.Errorf("%+v: expected a name of its own, a for, severity page or ticket, a summary and a runbook",
					r)
			}
			seen[r.Alert] = true
		}
	}
	if len(seen) < 10 {
		t.Errorf("found %d alerts", len(seen))
	}
}

func promtool(t *testing.T, arguments ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatal("no promtool on the PATH; `make test` installs it (prometheus)")
	}
	if out, err := exec.Command(path, arguments...).CombinedOutput(); err != nil {
		t.Errorf("promtool %v: %v\n%s", arguments, err, out)
	}
}

func TestAlertsFireWhenTheyShould(t *testing.T) {
	promtool(t, "check", "rules", "alerts.yaml")
	promtool(t, "test", "rules", "alerts_test.yaml")
}

// TestTheDashboardIsInOrder: panels with a title and a question each, none upon another,
// and questions that Prometheus can read.
func TestTheDashboardIsInOrder(t *testing.T) {
	text, err := os.ReadFile("../grafana/ssedge.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			ID          int
			Type, Title string
			GridPos     struct{ X, Y, W, H int }
			Targets     []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	ids, taken := map[int]bool{}, map[[2]int]string{}
	questions := group{Name: "dashboard"}
	for _, p := range board.Panels {
		if p.Title == "" || ids[p.ID] || (p.Type == "row") != (len(p.Targets) == 0) ||
			p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d, %q: expected a title, a number of its own, questions unless it is a row, and a place within 24 columns",
				p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if taken[at] != "" {
					t.Fatalf("panel %q lies upon %q", p.Title, taken[at])
				}
				taken[at] = p.Title
			}
		}
		for _, target := range p.Targets {
			expr := strings.NewReplacer("$__rate_interval", "5m", "$job", "x", "$instance", "x").
				Replace(target.Expr)
			questions.Rules = append(questions.Rules,
				rule{Record: "question", Expr: expr,
					Labels: map[string]string{"panel": p.Title, "expr": expr}})
		}
	}
	if len(questions.Rules) < 20 {
		t.Fatalf("found %d questions", len(questions.Rules))
	}
	rules, err := yaml.Marshal(map[string][]group{"groups": {questions}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, rules, 0o644); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", path)
}
