package engine_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ssedge/engine"
)

var (
	// selector is a metric in a question to Prometheus, with its matchers.
	selector = regexp.MustCompile(`\b((?:ssedge|process|go)_\w+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`(\w+)(?:=|!=|=~|!~)"([^"]*)"`)
	grouping = regexp.MustCompile(`\b(?:by|without) \(([^)]*)\)`)
	label    = regexp.MustCompile(`(\w+)="([^"]*)"`)
	// given are labels that Prometheus adds.
	given = []string{"job", "instance", "namespace", "pod"}
)

// asked is what a file asks Prometheus for: the lines that have questions in them.
func asked(t *testing.T, path, line string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile(line).FindAllStringSubmatch(string(text), -1) {
		all = append(all, strings.ReplaceAll(found[1], `\"`, `"`))
	}
	if len(all) == 0 {
		t.Fatalf("%s asks nothing: the test looks in the wrong place", path)
	}
	return all
}

// TestDashboardsAskForWhatThereIs: every metric, label and value of a label in the
// dashboard, the alerts and the autoscaler's rule is one that a node, with Redis, exports.
func TestDashboardsAskForWhatThereIs(t *testing.T) {
	server := startRedis(t)
	n := startNode(t, func(c *engine.Config) { c.Redis.URL = "redis://127.0.0.1:" + server.port })
	_, text := n.get(t, n.admin, "/metrics")
	exported := map[string]map[string][]string{} // name, label → values
	labels := slices.Clone(given)
	for _, f := range families(t, text) {
		for _, series := range f.order {
			name, rest, _ := strings.Cut(series, "{")
			if exported[name] == nil {
				exported[name] = map[string][]string{}
			}
			for _, l := range label.FindAllStringSubmatch(rest, -1) {
				exported[name][l[1]] = append(exported[name][l[1]], l[2])
				labels = append(labels, l[1])
			}
		}
	}
	for name := range engine.MetricHelp { // what is only there when it has happened
		if exported[name] == nil {
			exported[name] = map[string][]string{}
		}
	}
	for path, line := range map[string]string{
		"../tuning/grafana/ssedge.json":                     `"(?:expr|query)": "((?:[^"\\]|\\.)*)"`,
		"../tuning/prometheus/alerts.yaml":                  `(?m)^\s+(?:expr|summary|runbook): (.*)$`,
		"../tuning/kubernetes/prometheus-adapter.yaml":      `seriesQuery: '(.*)'`,
		"../tuning/prometheus/alerts_test.yaml":             `series: '(.*?)'`,
		"../tuning/kubernetes/horizontalpodautoscaler.yaml": `metric: \{name: (.*?)\}`,
	} {
		for _, question := range asked(t, path, line) {
			for _, s := range selector.FindAllStringSubmatch(question, -1) {
				has, ok := exported[s[1]]
				if !ok {
					t.Errorf("%s asks for %s, which there is not: %s", path, s[1], question)
					continue
				}
				for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
					if slices.Contains(given, m[1]) || m[1] == "le" {
						continue
					}
					for value := range strings.SplitSeq(m[2], "|") {
						if !slices.Contains(has[m[1]], value) {
							t.Errorf("%s asks for %s with %s %q, which there is not: %s", path,
								s[1], m[1], value, question)
						}
					}
				}
			}
			for _, g := range grouping.FindAllStringSubmatch(question, -1) {
				for by := range strings.SplitSeq(g[1], ",") {
					if !slices.Contains(labels, strings.TrimSpace(by)) {
						t.Errorf("%s groups by %s, a label that nothing has: %s", path, by,
							question)
					}
				}
			}
		}
	}
}
