package proxy

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"ssedge/engine"
)

// TestBrowser: the EventSource of a real Chromium, Debian's, follows a topic through each proxy.
// When the only edge starts again it comes back, which it would not after an answer like 502.
func TestBrowser(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("no chromium on the PATH; `make test` installs it")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			e := startEdge(t, func(c *engine.Config) { c.CORSOrigins = []string{"*"} })
			address := k.start(t, []*edge{e})
			tab, cancel := chromedp.NewContext(ctx)
			defer cancel()
			const script = `window.heard = []; source = new EventSource("/events?topic=t"); source.onmessage = e => heard.push(e.data)`
			if err := chromedp.Do(tab, chromedp.Navigate("http://"+address+"/nothing-is-here"),
				chromedp.Evaluate[chromedp.Void](script)); err != nil {
				t.Fatal(err)
			}
			heard := func() (all string) {
				const state = `source.readyState == EventSource.CLOSED ? "gave up" : heard.join()`
				said, err := chromedp.Run(tab, chromedp.Evaluate[string](state))
				if err != nil || said == "gave up" {
					t.Fatal(said, err)
				}
				return said
			}
			await(t, "the browser", func() bool { heard(); return e.engine.Streams() >= 1 })
			newClient(t, e.addr, "").publish("one")
			await(t, "an event", func() bool { return heard() == "one" })
			e.stop()
			for range 20 { // it asks several times and finds no server
				time.Sleep(100 * time.Millisecond)
				heard()
			}
			e.start(t)
			await(t, "the browser", func() bool { heard(); return e.engine.Streams() >= 1 })
			newClient(t, e.addr, "").publish("two")
			await(t, "an event after the restart", func() bool { return heard() == "one,two" })
		})
	}
}
