// Package proxy has tests only: of the configurations here, each with the proxy itself
// and edges in this process.
package proxy

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ssedge/engine"
)

// patience is how long a test waits for what must happen.
const patience = 40 * time.Second

// Servers in these tests listen on addresses that no connection leaves from: a port that
// is given up for a moment is still free afterwards.
const (
	edgeHost  = "127.79.0.1"
	otherHost = "127.79.0.2"
	proxyHost = "127.79.0.3"
)

// edge is a server in this process.
type edge struct {
	engine      *engine.Engine
	addr, admin string
	config      engine.Config
}

// startEdge serves until the test ends, at some free port unless one is set.
func startEdge(t *testing.T, change func(*engine.Config)) *edge {
	t.Helper()
	if raced {
		t.Skip("not run with -race, which does not watch proxies; what the server does here it does in the tests of engine, too. go test ./tuning/proxy runs it")
	}
	c := engine.DefaultConfig()
	c.Dev, c.Listen, c.Admin = true, []string{edgeHost + ":0"}, edgeHost+":0"
	c.Logger = slog.New(slog.DiscardHandler)
	c.Retry, c.RetryJitter, c.DrainTimeout = 100*time.Millisecond, 0, 5*time.Second
	if change != nil {
		change(&c)
	}
	e := &edge{config: c}
	e.start(t)
	t.Cleanup(func() { e.engine.Close() })
	return e
}

// twoEdges have the same admin port, as hosts in a row would.
func twoEdges(t *testing.T) (a, b *edge) {
	t.Helper()
	a = startEdge(t, nil)
	return a, startEdge(t, func(c *engine.Config) {
		_, port, _ := net.SplitHostPort(a.admin)
		c.Listen, c.Admin = []string{otherHost + ":0"}, otherHost+":"+port
	})
}

func (e *edge) start(t *testing.T) {
	t.Helper()
	var err error
	if e.engine, err = engine.New(e.config); err != nil {
		t.Fatal(err)
	}
	if err = e.engine.Start(); err != nil {
		t.Fatal(err)
	}
	e.addr, e.admin = e.engine.Addrs()[0].String(), e.engine.AdminAddr().String()
	prefix := ""
	if strings.HasPrefix(e.config.Listen[0], "proxy:") {
		prefix = "proxy:"
	}
	// where it is after a restart
	e.config.Listen, e.config.Admin = []string{prefix + e.addr}, e.admin
}

// stop ends it as SIGTERM would.
func (e *edge) stop() {
	e.engine.Drain()
	e.engine.Close()
}

func (e *edge) awaitStreams(t *testing.T, n int) {
	t.Helper()
	await(t, fmt.Sprint(n, " streams at the edge"), func() bool { return e.engine.Streams() == n })
}

// await waits until something is true.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within the time: ", what)
		}
	}
}

// edit is a change of a configuration: what stands there, and what is to.
type edit struct{ from, to string }

// kind is a proxy over HTTP, with the changes of its configuration that tests make.
type kind struct {
	name, file string
	// second takes the second edge away.
	second []edit
	// always is for a test's machine.
	always []edit
	// fresh has it make a connection for each request.
	fresh []edit
	// kept has it keep connections for the requests of all clients, if it does not anyway.
	kept []edit
	// usual takes the time limits away, so that its own, or its distribution's, apply.
	usual []edit
	// compress has it compress all it can.
	compress []edit
	heeds    bool   // Cache-Control: no-transform, even then
	late     bool   // it notices that a client has gone when it has sent it something twice
	beside   string // another file, which the configuration names in /etc/ssedge
	wrap     string // what stands around the file; %s
	args     []string
}

var kinds = []kind{
	{
		name: "nginx", file: "nginx.conf",
		second: []edit{{"    server 10.0.0.12:8080 max_fails=0;\n", ""}},
		fresh:  []edit{{"    keepalive 64;", "    #"}},
		usual:  []edit{{"        proxy_read_timeout 75s;\n", ""}},
		compress: []edit{{"        gzip off;\n",
			"        gzip on; gzip_types *; gzip_proxied any; gzip_min_length 0;\n"}},
		wrap: nginxMain + "http {\n access_log off; client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;\n%s\n}\n",
		args: []string{"-e", "stderr", "-p", ".", "-c", "config"},
	},
	{
		name: "haproxy", file: "haproxy.cfg",
		second: []edit{{"    server edge2 10.0.0.12:8080 port 8081\n", ""}},
		always: []edit{{"maxconn 100000", "maxconn 1000"}},
		fresh: []edit{{"    option forwardfor\n",
			"    option forwardfor\n    option http-server-close\n"}},
		kept: []edit{{"    option forwardfor\n",
			"    option forwardfor\n    http-reuse always\n"}},
		// As in Debian's haproxy.cfg; HAProxy itself has none.
		usual: []edit{{"timeout client 75s", "timeout client 50s"},
			{"timeout server 75s", "timeout server 50s"}},
		compress: []edit{
			{
				"    option forwardfor\n", "    option forwardfor\n    compression algo gzip\n    compression type text/event-stream application/json\n"}},
		heeds: true,
		wrap:  "%s\n",
		args:  []string{"-db", "-f", "config"},
	},
	{
		name: "caddy", file: "Caddyfile",
		second: []edit{{" 10.0.0.12:8080", ""}},
		fresh:  []edit{{"			keepalive 30s\n", "			keepalive off\n"}},
		compress: []edit{
			{
				"	# No edge at all",
				"	encode {\n		gzip\n		minimum_length 1\n		match {\n			header Content-Type text/event-stream*\n		}\n	}\n	# No edge at all"}},
		wrap: "{\n	admin off\n	auto_https off\n}\n%s\n",
		args: []string{"run", "--adapter", "caddyfile", "--config", "config"},
	},
	{
		name: "apache2", file: "apache.conf", beside: "apache-away.asis",
		second: []edit{
			{"        BalancerMember http://10.0.0.12:8080 connectiontimeout=2 retry=1 timeout=75 ttl=30\n",
				""}},
		fresh: []edit{{" ttl=30", " disablereuse=on"}},
		usual: []edit{{" timeout=75", ""}},
		compress: []edit{{"    SetEnvIf Request_URI ^/events$ no-gzip no-brotli\n",
			"    SetOutputFilter DEFLATE\n"}},
		late: true,
		wrap: apacheMain + "%s",
		args: []string{"-D", "FOREGROUND", "-C", "ServerRoot {dir}", "-C",
			"DefaultRuntimeDir {dir}", "-C", "ServerName localhost", "-C", "Listen {address}", "-f",
			"{dir}/config"},
	},
}

// varnish is not among the other proxies and has its own tests (varnish_test.go), because it does
// not keep connections to edges, and pipes streams as bytes.
var varnish = kind{
	name: "varnishd", file: "varnish.vcl",
	second: []edit{
		{"backend edge2 { .host = \"10.0.0.12:8080\"; .probe = serving; .connect_timeout = 2s; }\n",
			""},
		{"    edges.add_backend(edge2);\n", ""},
	},
	wrap: "%s",
	args: []string{"-F", "-n", "{dir}/work", "-j", "none", "-a", "{address}", "-f", "{dir}/config",
		"-T", "none", "-s", "malloc,32m", "-p", "pipe_timeout=75", "-p", "timeout_idle=60"},
}

const nginxMain = "daemon off; pid nginx.pid; error_log stderr; worker_processes 1; events { worker_connections 400; }\n"

// apacheMain is what Debian has in other files. The time limit is the one that Apache itself has;
// Debian's is 300.
const apacheMain = `PidFile pid
ErrorLog /dev/stderr
Timeout 60
StartServers 1
ServerLimit 1
ThreadsPerChild 64
MaxRequestWorkers 64
MinSpareThreads 1
MaxSpareThreads 64
User www-data
Group www-data
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
LoadModule asis_module /usr/lib/apache2/modules/mod_asis.so
LoadModule setenvif_module /usr/lib/apache2/modules/mod_setenvif.so
LoadModule filter_module /usr/lib/apache2/modules/mod_filter.so
LoadModule deflate_module /usr/lib/apache2/modules/mod_deflate.so
LoadModule slotmem_shm_module /usr/lib/apache2/modules/mod_slotmem_shm.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
LoadModule proxy_balancer_module /usr/lib/apache2/modules/mod_proxy_balancer.so
LoadModule lbmethod_bybusyness_module /usr/lib/apache2/modules/mod_lbmethod_bybusyness.so
`

// start runs a proxy with its configuration, changed, in front of one or two edges,
// until the test ends, and returns its address.
func (k kind) start(t *testing.T, edges []*edge, edits ...edit) (address string) {
	t.Helper()
	text, err := os.ReadFile(k.file)
	if err != nil {
		t.Fatal(err)
	}
	config := string(text)
	edits = slices.Concat(k.always, edits)
	if len(edges) == 1 {
		edits = slices.Concat(k.second, edits)
	}
	for _, e := range edits {
		if !strings.Contains(config, e.from) {
			t.Fatalf("%s has no %q", k.file, e.from)
		}
		config = strings.ReplaceAll(config, e.from, e.to)
	}
	if k.beside != "" {
		text, err := os.ReadFile(k.beside)
		if err != nil {
			t.Fatal(err)
		}
		config = strings.ReplaceAll(config, "/etc/ssedge/"+strings.TrimPrefix(k.beside, "apache-"),
			readable(t, text))
	}
	address = freeAddress(t)
	config = k.place(config, address, edges)
	run(t, k.name, fmt.Sprintf(k.wrap, config), k.args, address)
	if k.late { // it would wait for its streams, and they for it
		t.Cleanup(func() {
			for _, e := range edges {
				if e.engine != nil {
					e.engine.Close()
				}
			}
		})
	}
	return address
}

// place puts the addresses of the test in place of the file's.
func (k kind) place(config, address string, edges []*edge) string {
	config = strings.NewReplacer(
		"listen 80 ", "listen "+address+" ",
		"bind :80\n", "bind "+address+"\n",
		"<VirtualHost *:80>", "<VirtualHost "+address+">",
		// By itself Caddy listens on all addresses.
		"\n:80 {\n", "\nhttp://"+address+" {\n	bind "+proxyHost+"\n",
	).Replace(config)
	lines := strings.Split(config, "\n")
	for i, e := range edges {
		for n, line := range lines {
			if at := fmt.Sprint("10.0.0.1", i+1, ":8080"); strings.Contains(line, at) &&
				!strings.Contains(line, "#") {
				lines[n] = strings.Replace(line, at, e.addr, 1)
				if _, port, _ := net.SplitHostPort(e.admin); strings.Contains(line, "port 8081") {
					lines[n] = strings.Replace(lines[n], "port 8081", "port "+port, 1)
				}
			}
			// Caddy has one port for the checks of all.
			if _, port, _ := net.SplitHostPort(e.admin); strings.Contains(line,
				"health_port 8081") {
				lines[n] = strings.Replace(line, "8081", port, 1)
			}
		}
	}
	return strings.Join(lines, "\n")
}

// readable writes a file that other users can read, too, and returns its path.
func readable(t *testing.T, text []byte) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", proxyHost+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// run starts a program with a file called config and waits until it listens.
func run(t *testing.T, program, config string, args []string, address string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil { // Debian's place for it is not on every user's path
		if path, err = exec.LookPath("/usr/sbin/" + program); err != nil {
			t.Fatalf("no %s on the PATH; `make test` installs it", program)
		}
	}
	dir := t.TempDir()
	os.Chmod(dir, 0o755)
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	args = slices.Clone(args)
	for i := range args {
		args[i] = strings.NewReplacer("{dir}", dir, "{address}", address).Replace(args[i])
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	said, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM) // Apache takes seconds for an interrupt
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			cmd.Process.Kill()
			<-ended
		}
		said.Close()
		if t.Failed() {
			log, _ := os.ReadFile(said.Name())
			t.Logf("%s said:\n%s", program, log[max(0, len(log)-4096):])
		}
	})
	await(t, program+" to listen", func() bool {
		select {
		case <-ended:
			log, _ := os.ReadFile(said.Name())
			t.Fatalf("%s ended: %s\n%s", program, log, config)
		default:
		}
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return address
}
