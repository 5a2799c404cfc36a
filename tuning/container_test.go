package tuning

import (
	"strings"
	"testing"
)

// In a container the forms of Docker and Kubernetes are said, and what only the host can have.
func TestContainers(t *testing.T) {
	for _, c := range []struct {
		files map[string]string
		env   []string
		kind  string
	}{
		{map[string]string{".dockerenv": ""}, nil, "docker"},
		{map[string]string{"run/.containerenv": ""}, nil, "podman"},
		{nil, []string{"container=lxc"}, "lxc"},
		{nil, []string{"KUBERNETES_SERVICE_HOST=10.0.0.1"}, "kubernetes"},
	} {
		h := read(t, hostDir(t, c.files), 20_000, c.env...)
		if h.Container != c.kind {
			t.Fatalf("found %q, expected %q", h.Container, c.kind)
		}
		all := Examine(h, Load{Connections: 1_000_000, Sources: 20})
		engine := "docker"
		if c.kind == "podman" {
			engine = "podman"
		}
		for name, says := range map[string][]string{
			"net.core.somaxconn":                 {engine + " run --sysctl net.core.somaxconn=10000;", `securityContext: {sysctls: [{name: net.core.somaxconn, value: "10000"}]}`, "unsafe", "--allowed-unsafe-sysctls=net.core.somaxconn"},
			"net.ipv4.tcp_slow_start_after_idle": {"--sysctl net.ipv4.tcp_slow_start_after_idle=0;", "safe since Kubernetes 1.37"},
			"net.ipv4.ip_local_port_range":       {`--sysctl net.ipv4.ip_local_port_range="10240 65535";`, "safe since"},
			"net.ipv4.tcp_mem":                   {"on the host", `sysctl -w net.ipv4.tcp_mem="500000 750000 1000000"`, "no container can"},
			"RLIMIT_NOFILE":                      {engine + " run --ulimit nofile=1010000:1010000", "container runtime"},
		} {
			f := named(t, all, name)
			for _, say := range says {
				if f.OK || !strings.Contains(f.How, say) {
					t.Errorf("%s: %+v does not say %s", c.kind, f, say)
				}
			}
		}
	}
}

// A network namespace does not show what is the host's: that is no reason to call it in order, nor short.
func TestWhatANamespaceHides(t *testing.T) {
	dir := hostDir(t, nil)
	for name := range hostNet {
		remove(t, dir, "proc/sys/"+strings.ReplaceAll(name, ".", "/"))
	}
	h := read(t, dir, 2_000_000)
	for _, name := range []string{"net.core.netdev_max_backlog", "net.ipv4.tcp_mem", "net.ipv4.tcp_max_orphans"} {
		if f := named(t, Examine(h, million), name); f.OK || !f.Advice || f.Now != "not seen" || f.Scope != OfHost || !strings.Contains(f.How, "on the host") {
			t.Errorf("%+v", f)
		}
	}
	changes, err := Apply(dir, h, million)
	if c := change(t, changes, "net.ipv4.tcp_mem"); err != nil || !strings.Contains(c.Left, "the host's") {
		t.Errorf("%v, %+v", err, c)
	}
}
