package clients

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// pages serves the page that drives browsers, the frames of clients and their scripts, and
// takes what clients hand out.
type pages struct {
	address string

	mu       sync.Mutex
	todo     map[string]chan todo // by browser
	sessions map[string]*session
	last     int
}

// todo opens a frame, or closes it if Open is empty.
type todo struct {
	Session string `json:"session"`
	Open    string `json:"open,omitempty"`
}

var pageServer = sync.OnceValues(func() (*pages, error) {
	dir, err := installed()
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.81.0.3:0")
	if err != nil {
		return nil, err
	}
	p := &pages{address: ln.Addr().String(), todo: map[string]chan todo{},
		sessions: map[string]*session{}}
	mux := http.NewServeMux()
	files := http.FileServer(http.Dir(dir))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/node_modules/") && filepath.Ext(r.URL.Path) == "" {
			// as bundlers complete it
			r.URL.Path += ".js"
		}
		if filepath.Ext(r.URL.Path) == ".mjs" {
			w.Header().Set("Content-Type", "text/javascript")
		}
		files.ServeHTTP(w, r)
	})
	mux.HandleFunc("/next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case next := <-p.queue(r.FormValue("browser")):
			json.NewEncoder(w).Encode(next)
		case <-time.After(20 * time.Second):
			io.WriteString(w, "{}")
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/report", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		p.mu.Lock()
		s := p.sessions[r.FormValue("session")]
		p.mu.Unlock()
		for _, line := range strings.SplitAfter(string(body), "\n") {
			if line != "" && s != nil {
				s.take([]byte(line))
			}
		}
	})
	server := &http.Server{Handler: mux}
	// a connection that the wire passed on is not used for the stream
	server.SetKeepAlivesEnabled(false)
	go server.Serve(ln)
	return p, nil
})

func (p *pages) queue(browser string) chan todo {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.todo[browser] == nil {
		p.todo[browser] = make(chan todo, 100)
	}
	return p.todo[browser]
}

var (
	browsersMu sync.Mutex
	browsers   []*exec.Cmd
)

func closeBrowsers() {
	for _, cmd := range browsers {
		// its own group: a browser is many processes
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	}
}

// launch starts a browser with the page that drives it.
func launch(name, program, pkg string, args func(dir string) ([]string, error)) func() error {
	return sync.OnceValue(func() error {
		path, err := exec.LookPath(program)
		if err != nil {
			return fmt.Errorf("the package %s is missing; make test installs it", pkg)
		}
		p, err := pageServer()
		if err != nil {
			return err
		}
		dir := filepath.Join(scratch, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		flags, err := args(dir)
		if err != nil {
			return err
		}
		cmd := exec.Command(path, append(flags, "http://"+p.address+"/page.html?browser="+name)...)
		cmd.Env = append(os.Environ(), "HOME="+dir, "MOZ_CRASHREPORTER_DISABLE=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
		log, err := os.Create(filepath.Join(scratch, name+".log"))
		if err != nil {
			return err
		}
		defer log.Close()
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Start(); err != nil {
			return err
		}
		browsersMu.Lock()
		browsers = append(browsers, cmd)
		browsersMu.Unlock()
		return nil
	})
}

var launchers = map[string]func() error{
	"chromium": launch("chromium", "chromium", "chromium", func(dir string) ([]string, error) {
		return []string{
			"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
			"--no-first-run", "--disable-quic",
			"--disable-background-networking", "--disable-component-update", "--disable-sync",
			"--disable-extensions",
			"--user-data-dir=" + dir,
		}, nil
	}),
	"firefox": launch("firefox", "firefox-esr", "firefox-esr", func(dir string) ([]string, error) {
		return []string{"--headless", "--no-remote", "--profile", dir},
			os.WriteFile(filepath.Join(dir, "user.js"), []byte(firefoxSettings), 0o600)
	}),
}

// firefoxSettings keep it from calling home; none of them is about event streams.
const firefoxSettings = `
user_pref("app.update.enabled", false);
user_pref("app.normandy.enabled", false);
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("browser.search.update", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("datareporting.healthreport.uploadEnabled", false);
user_pref("extensions.getAddons.cache.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "data:,");
user_pref("toolkit.telemetry.enabled", false);
user_pref("toolkit.telemetry.server", "");
`

// inBrowser starts a client in a frame of a browser, whose origin is the stream's or another.
func inBrowser(name, client string, sameOrigin bool) func(*testing.T, *trial, order) *session {
	return func(t *testing.T, r *trial, o order) *session {
		t.Helper()
		p, err := pageServer()
		if err == nil {
			err = launchers[name]()
		}
		if err != nil {
			t.Fatal(err)
		}
		s := &session{}
		p.mu.Lock()
		p.last++
		id := fmt.Sprint(p.last)
		p.sessions[id] = s
		p.mu.Unlock()
		hash, err := json.Marshal(map[string]any{"client": client, "order": o, "report": "http://" +
			p.address + "/report?session=" + id})
		if err != nil {
			t.Fatal(err)
		}
		origin := p.address
		if sameOrigin {
			origin = r.wire.address
		}
		p.queue(name) <- todo{Session: id, Open: "http://" + origin + "/frame.html#" +
			url.PathEscape(string(hash))}
		s.stop = sync.OnceFunc(func() { p.queue(name) <- todo{Session: id} })
		t.Cleanup(s.stop)
		return s
	}
}
