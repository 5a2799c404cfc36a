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
		{map[string]string{".dockerenv": "", "proc/self/mountinfo": mounted}, nil, "docker"},
		{map[string]string{".dockerenv": "",
			"proc/self/cgroup": "0::/system.slice/docker-0123.scope\n"}, nil, "docker"},
		{map[string]string{"run/.containerenv": ""}, nil, "podman"},
		{nil, []string{"container=lxc"}, "lxc"},
		{nil, []string{"KUBERNETES_SERVICE_HOST=10.0.0.1"}, "kubernetes"},
	} {
		h := read(t, hostDir(t, c.files), 20_000, c.env...)
		if h.Container != c.kind || h.Doubt {
			t.Fatalf("found %q, doubt %v, expected %q", h.Container, h.Doubt, c.kind)
		}
		all := Examine(h, Load{Connections: 1_000_000, Sources: 20})
		engine := "docker"
		if c.kind == "podman" {
			engine = "podman"
		}
		if f := named(t, all, "container"); !f.OK || !strings.HasPrefix(f.Now, c.kind+" (") ||
			f.Needed != "any" || !strings.Contains(f.Why, "cannot be changed from inside") {
			t.Errorf("%+v", f)
		}
		for name, says := range map[string][]string{
			"net.core.somaxconn": {engine +
				" run --sysctl net.core.somaxconn=10000;",
				`securityContext: {sysctls: [{name: net.core.somaxconn, value: "10000"}]}`,
				"unsafe", "--allowed-unsafe-sysctls=net.core.somaxconn"},
			"net.ipv4.tcp_slow_start_after_idle": {"--sysctl net.ipv4.tcp_slow_start_after_idle=0;",
				"safe since Kubernetes 1.37"},
			"net.ipv4.ip_local_port_range": {
				`--sysctl net.ipv4.ip_local_port_range="10240 65535";`, "safe since"},
			"net.ipv4.tcp_mem": {"on the host",
				`sysctl -w net.ipv4.tcp_mem="500000 750000 1000000"`, "no container can"},
			"RLIMIT_NOFILE": {engine + " run --ulimit nofile=1010000:1010000",
				"container runtime"},
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

// mounted is what Docker puts over a file of a container.
const mounted = "632 610 254:1 /var/lib/docker/containers/0123/hostname /etc/hostname rw,relatime - ext4 /dev/vda1 rw\n"

// A /.dockerenv that nothing else speaks for may be left over: that is said, and what to do on a
// host.
func TestADockerenvAlone(t *testing.T) {
	stale := map[string]string{".dockerenv": "",
		"proc/self/cgroup": "0::/user.slice/session-3.scope\n"}
	h := read(t, hostDir(t, stale), 20_000)
	all := Examine(h, million)
	for name, says := range map[string][]string{
		"net.core.somaxconn": {"docker run --sysctl net.core.somaxconn=10000; if this is no container: sysctl -w net.core.somaxconn="},
		"RLIMIT_NOFILE":      {"docker run --ulimit nofile=1010000:1010000; if this is no container: LimitNOFILE=1010000 in the unit"},
	} {
		for _, say := range says {
			if f := named(t, all, name); !strings.Contains(f.How, say) {
				t.Errorf("%+v does not say %s", f, say)
			}
		}
	}
	if f := named(t, all, "container"); f.Now != "docker (/.dockerenv)" ||
		!strings.Contains(f.Why, "if it is not one, remove that file") {
		t.Errorf("%+v", f)
	}
	if f := named(t, Examine(read(t, hostDir(t, nil), 1), million), "container"); f.Now != "none" ||
		!f.OK {
		t.Errorf("%+v", f)
	}
}

// A network namespace does not show what is the host's: that is no reason to call it in order, nor
// short.
func TestWhatANamespaceHides(t *testing.T) {
	dir := hostDir(t, nil)
	for name := range hostNet {
		remove(t, dir, "proc/sys/"+strings.ReplaceAll(name, ".", "/"))
	}
	h := read(t, dir, 2_000_000)
	for _, name := range []string{"net.core.netdev_max_backlog", "net.ipv4.tcp_mem",
		"net.ipv4.tcp_max_orphans"} {
		if f := named(t, Examine(h, million), name); f.OK || !f.Advice || f.Now != "not seen" ||
			f.Scope != OfHost || !strings.Contains(f.How, "on the host") {
			t.Errorf("%+v", f)
		}
	}
	changes, err := Apply(dir, h, million)
	if c := change(t, changes, "net.ipv4.tcp_mem"); err != nil ||
		!strings.Contains(c.Left, "the host's") {
		t.Errorf("%v, %+v", err, c)
	}
}

// The script says the same of it.
func TestWhatANamespaceHidesFromTheScript(t *testing.T) {
	dir := hostDir(t, nil)
	for name := range hostNet {
		remove(t, dir, "proc/sys/"+strings.ReplaceAll(name, ".", "/"))
	}
	remove(t, dir, "proc/sys/fs/epoll/max_user_watches")
	changes, err := Apply(dir, read(t, dir, 20_000), million)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Undo(dir); err != nil {
		t.Fatal(err)
	}
	out, err := script(dir, "1000000")
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	for _, name := range []string{"net.core.netdev_max_backlog", "net.ipv4.tcp_mem",
		"net.ipv4.tcp_max_orphans", "fs.epoll.max_user_watches"} {
		if want := name + ": left as it is: " + change(t, changes, name).Left +
			"\n"; !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
}
