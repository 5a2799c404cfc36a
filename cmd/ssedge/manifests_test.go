package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// manifest is what of a Kubernetes object depends on the program.
type manifest struct {
	Kind string
	Spec struct {
		Template struct {
			Metadata struct{ Annotations map[string]string }
			Spec     pod
		}
		Ports []struct {
			TargetPort string `yaml:"targetPort"`
		}
		Ingress []struct{ Ports []struct{ Port string } }
		Metrics []struct {
			Pods struct{ Metric struct{ Name string } }
		}
	}
}

type pod struct {
	Grace      int `yaml:"terminationGracePeriodSeconds"`
	Containers []struct {
		Args  []string
		Ports []struct {
			Name          string
			ContainerPort int `yaml:"containerPort"`
		}
		Env []struct {
			Name, Value string
			ValueFrom   struct {
				ResourceFieldRef struct{ Resource string } `yaml:"resourceFieldRef"`
			} `yaml:"valueFrom"`
		}
		Resources struct {
			Requests, Limits map[string]string
		}
		Readiness probe `yaml:"readinessProbe"`
		Liveness  probe `yaml:"livenessProbe"`
		Lifecycle struct {
			PreStop struct{ Sleep struct{ Seconds int } } `yaml:"preStop"`
		}
	}
}

type probe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

// manifests are those of tuning/kubernetes, by kind. All of them must be YAML.
func manifests(t *testing.T) map[string]manifest {
	t.Helper()
	paths, err := filepath.Glob("../../tuning/kubernetes/*.yaml")
	if err != nil || len(paths) < 6 {
		t.Fatalf("found %v, %v", paths, err)
	}
	all := map[string]manifest{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
			var any yaml.Node
			if err := d.Decode(&any); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			var m manifest
			if err := any.Decode(&m); err != nil && !strings.HasSuffix(path, "kustomization.yaml") {
				t.Fatalf("%s: %v", path, err)
			}
			all[m.Kind] = m
		}
	}
	return all
}

// TestThePodSetsWhatServeReads: the variables of flags, to values that pass the check,
// with what the kubelet puts in.
func TestThePodSetsWhatServeReads(t *testing.T) {
	c := manifests(t)["Deployment"].Spec.Template.Spec.Containers[0]
	if !slices.Equal(c.Args, []string{"serve"}) {
		t.Fatalf("the pod runs %q", c.Args)
	}
	known := map[string]bool{"GOMEMLIMIT": true, "GOMAXPROCS": true}
	for _, f := range commands(t)["serve"] {
		for _, env := range f.Envs {
			known[env] = true
		}
	}
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte("a-long-enough-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	resources := map[string]string{"requests.cpu": c.Resources.Requests["cpu"],
		"requests.memory": strconv.Itoa(gibibytes(t, c.Resources.Requests["memory"]) << 30)}
	set := map[string]string{}
	for _, e := range c.Env {
		if !known[e.Name] {
			t.Errorf("%s is no variable that ssedge serve reads", e.Name)
		}
		set[e.Name] = e.Value
		if from := e.ValueFrom.ResourceFieldRef.Resource; from != "" {
			if set[e.Name] = resources[from]; set[e.Name] == "" {
				t.Errorf("%s is from %s, which the pod does not say", e.Name, from)
			}
		}
	}
	if gibibytes(t, c.Resources.Limits["memory"]) <= gibibytes(t, c.Resources.Requests["memory"]) {
		t.Error("the limit on memory leaves the kernel's sockets no room above what the program may take")
	}
	if cores, _ := strconv.Atoi(set["SSEDGE_SHARDS"]); set["GOMAXPROCS"] != strconv.Itoa(2*cores) {
		t.Errorf("GOMAXPROCS is %s for %d shards, expected twice as many", set["GOMAXPROCS"], cores)
	}
	set["SSEDGE_KEY_FILE"], set["SSEDGE_REDIS"], set["SSEDGE_EDGE"] = keys, "redis://redis:6379",
		"ssedge-0"
	set["SSEDGE_STREAMS_MAX"] = "1" // that many files are the node's to allow
	for name, value := range set {
		t.Setenv(name, value)
	}
	if _, said, code := run(t, "serve", "--check"); code != 0 {
		t.Errorf("the settings of the pod: %s", said)
	}
}

func gibibytes(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSuffix(text, "Gi"))
	if err != nil {
		t.Fatalf("%q: expected a number of Gi", text)
	}
	return n
}

// TestThePodHasTimeToDrain before it is killed: what comes before SIGTERM, what serve
// takes then, and time to end.
func TestThePodHasTimeToDrain(t *testing.T) {
	p := manifests(t)["Deployment"].Spec.Template.Spec
	c := p.Containers[0]
	drain := map[string]time.Duration{}
	for _, f := range commands(t)["serve"] {
		if f.Name == "drain-delay" || f.Name == "drain-timeout" {
			value := f.Default
			for _, e := range c.Env {
				if slices.Contains(f.Envs, e.Name) {
					value = e.Value
				}
			}
			d, err := time.ParseDuration(value)
			if err != nil {
				t.Fatal(err)
			}
			drain[f.Name] = d
		}
	}
	least := time.Duration(c.Lifecycle.PreStop.Sleep.Seconds)*time.Second + drain["drain-delay"] +
		drain["drain-timeout"] + 5*time.Second
	if grace := time.Duration(p.Grace) * time.Second; grace < least || len(drain) != 2 {
		t.Errorf("the pod is killed after %v, expected at least %v", grace, least)
	}
}

// TestThePodsPortsAndPaths are those that serve has.
func TestThePodsPortsAndPaths(t *testing.T) {
	all := manifests(t)
	d := all["Deployment"].Spec.Template
	c := d.Spec.Containers[0]
	ports, listens := map[string]string{}, map[string]string{}
	for _, p := range c.Ports {
		ports[p.Name] = strconv.Itoa(p.ContainerPort)
	}
	for _, e := range c.Env {
		if e.Name == "SSEDGE_LISTEN" || e.Name == "SSEDGE_ADMIN" {
			_, listens[e.Name], _ = net.SplitHostPort(e.Value)
		}
	}
	if ports["http"] != listens["SSEDGE_LISTEN"] || ports["admin"] != listens["SSEDGE_ADMIN"] ||
		len(ports) != 2 {
		t.Errorf("the pod's ports are %v, and it listens on %v", ports, listens)
	}
	if got := d.Metadata.Annotations["prometheus.io/port"]; got != ports["admin"] {
		t.Errorf("Prometheus is told port %s, expected %s", got, ports["admin"])
	}
	_, _, admin := serve(t, "--dev")
	for what, path := range map[string]string{"readiness": c.Readiness.HTTPGet.Path,
		"liveness": c.Liveness.HTTPGet.Path,
		"metrics":  d.Metadata.Annotations["prometheus.io/path"]} {
		if status, body := get(t, admin+path); status != 200 || path == "" {
			t.Errorf("%s: %s is answered %d %s", what, path, status, body)
		}
	}
	named := []string{c.Readiness.HTTPGet.Port, c.Liveness.HTTPGet.Port}
	for _, p := range all["Service"].Spec.Ports {
		named = append(named, p.TargetPort)
	}
	for _, i := range all["NetworkPolicy"].Spec.Ingress {
		named = append(named, i.Ports[0].Port)
	}
	for _, name := range named {
		if ports[name] == "" {
			t.Errorf("there is no port %q in the pod", name)
		}
	}
	if c.Readiness.HTTPGet.Path == c.Liveness.HTTPGet.Path {
		t.Error("a pod that drains would be killed as if it were dead")
	}
}

// TestTheAutoscalersMetric is made by the adapter's rule, from one that there is.
func TestTheAutoscalersMetric(t *testing.T) {
	_, _, admin := serve(t, "--dev")
	_, text := get(t, admin+"/metrics")
	rule, err := os.ReadFile("../../tuning/kubernetes/prometheus-adapter.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range manifests(t)["HorizontalPodAutoscaler"].Spec.Metrics {
		name := m.Pods.Metric.Name
		if name != "" && (!strings.Contains(text, "# TYPE "+name+" gauge\n") ||
			!strings.Contains(string(rule), "seriesQuery: '"+name+"{")) {
			t.Errorf("%q is no gauge, or the adapter's rule does not make it", name)
		}
	}
}

// TestTheImageIsWhatServeNeeds: the Dockerfile's variables, port, health check and signal.
func TestTheImageIsWhatServeNeeds(t *testing.T) {
	raw, err := os.ReadFile("../../tuning/docker/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	known := map[string]bool{}
	for _, f := range commands(t)["serve"] {
		for _, env := range f.Envs {
			known[env] = true
		}
	}
	for _, set := range regexp.MustCompile(`(SSEDGE_\w+)=`).FindAllStringSubmatch(text, -1) {
		if !known[set[1]] {
			t.Errorf("%s is no variable that ssedge serve reads", set[1])
		}
	}
	for _, want := range []string{`CMD ["/usr/local/bin/ssedge", "health"]`,
		"\nENV SSEDGE_LISTEN=0.0.0.0:8080\n", "\nEXPOSE 8080\n", "\nSTOPSIGNAL SIGTERM\n",
		`CMD ["serve"]`} {
		if !strings.Contains(text, want) {
			t.Errorf("expected %q in the Dockerfile", want)
		}
	}
	if !regexp.MustCompile(`\nUSER [1-9]\d*:[1-9]\d*\n`).MatchString(text) {
		t.Error("expected a user that is a number, and not root")
	}
}

// TestTheExampleOfSettings passes the check, as it stands and with everything in it switched on.
func TestTheExampleOfSettings(t *testing.T) {
	text, err := os.ReadFile("../../tuning/packaging/ssedge.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	keys := filepath.Join(dir, "keys")
	if err := os.WriteFile(keys, []byte("a-long-enough-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := strings.Replace(string(text), "key-file: /etc/ssedge/keys", "key-file: "+keys, 1)
	everything := regexp.MustCompile(`(?m)^#([a-z-]+:)`).ReplaceAllString(settings, "$1")
	if everything == settings {
		t.Fatal("there is nothing to switch on")
	}
	for i, s := range []string{settings, everything} {
		path := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, said, code := run(t, "serve", "--check", "--config="+path); code != 0 {
			t.Errorf("exit code %d: %s%s", code, out, said)
		}
	}
}

// TestWhatOperatorsAreToldIsThere: flags and variables that runbooks, panels, units and
// manifests name.
func TestWhatOperatorsAreToldIsThere(t *testing.T) {
	known := map[string]bool{}
	for _, f := range commands(t)["serve"] {
		known["--"+f.Name] = true
		for _, env := range f.Envs {
			known[env] = true
		}
	}
	for _, others := range []string{"--previous", "--platform", "--build-arg", "--rm", "--ulimit",
		"--stop-timeout", "--always", "--tags", "--format", "--date", "--from", "--interval",
		"--timeout", "--start-period", "--retries"} {
		known[others] = true // of kubectl, docker and git
	}
	named := 0
	for _, path := range []string{"prometheus/alerts.yaml", "grafana/ssedge.json",
		"systemd/ssedge.service", "packaging/ssedge.yaml", "docker/Dockerfile",
		"kubernetes/deployment.yaml", "kubernetes/horizontalpodautoscaler.yaml",
		"kubernetes/networkpolicy.yaml"} {
		text, err := os.ReadFile("../../tuning/" + path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`--[a-z][a-z-]+|\bSSEDGE_[A-Z_]+`).
			FindAllString(string(text), -1) {
			named++
			if !known[name] {
				t.Errorf("%s names %s, which ssedge serve has not", path, name)
			}
		}
	}
	if named < 30 {
		t.Errorf("found %d flags", named)
	}
}
