package report

import (
	"fmt"
	"html"
	"html/template"
	"image/color"
	"regexp"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"ssedge/bench/result"
)

// The size of a plot, in the units of its own coordinates: it is as wide on the page as its column. Text is of this size
// in them, to be read when the column is 360 px wide as well as when it is 560.
const (
	width    = vg.Length(430)
	height   = vg.Length(270)
	textSize = vg.Length(12)
)

// Colours are the page's: it has others in the dark. gonum takes what these stand for, and the SVG gets the names.
var names = []string{"text", "axis", "grid", "s0", "s1", "s2", "s3", "s4", "s5"}

const (
	colourText, colourAxis, colourGrid = 0, 1, 2
	colourServer                       = 3
)

func colour(i int) color.Color { return color.RGBA{R: 1, G: 2, B: uint8(i), A: 255} }

// ink is how the lines of a server look: the number of the server in the run. With more servers than colours dashes tell
// those apart that share one.
type ink int

var dashes = [][]vg.Length{nil, {6, 3}, {1.5, 2.5}, {8, 3, 1.5, 3}}

const colours = 6 // s0 to s5 above

func (k ink) Colour() int { return int(k) % colours }

func (k ink) dashes() []vg.Length { return dashes[int(k)/colours%len(dashes)] }

// Dash is SVG's stroke-dasharray.
func (k ink) Dash() string {
	var parts []string
	for _, l := range k.dashes() {
		parts = append(parts, strconv.FormatFloat(l.Points(), 'f', -1, 64))
	}
	return strings.Join(parts, " ")
}

// picture is what is drawn in one plot.
type picture struct {
	x, y        result.Axis
	alt         string // text for readers who cannot see the picture
	percentiles bool
	lines       []line
}

// line is one curve. There is at least one point, and all have a place on the axes.
type line struct {
	ink
	points [][2]float64
	glyphs bool
}

func (p picture) svg() (template.HTML, error) {
	chart := plot.New()
	chart.BackgroundColor = nil
	x, y := p.scales()
	x.into(&chart.X)
	y.into(&chart.Y)
	chart.Y.Tick.LineStyle.Width = 0
	chart.Y.LineStyle.Width = 0
	chart.X.Padding = 0 // the axis is at the lowest value
	grid := plotter.NewGrid()
	grid.Vertical.Color = nil
	grid.Horizontal = draw.LineStyle{Color: colour(colourGrid), Width: 0.75}
	chart.Add(grid)
	for _, l := range p.lines {
		xys := make(plotter.XYs, len(l.points))
		for i, point := range l.points {
			xys[i] = plotter.XY{X: point[0], Y: point[1]}
		}
		own := colour(colourServer + l.Colour())
		if len(xys) > 1 {
			chart.Add(&plotter.Line{XYs: xys, LineStyle: draw.LineStyle{Color: own, Width: l.width(), Dashes: l.dashes()}})
		}
		if l.glyphs {
			chart.Add(&plotter.Scatter{XYs: xys, GlyphStyle: draw.GlyphStyle{Color: own, Radius: 2.8, Shape: draw.CircleGlyph{}}})
		}
	}
	// Adding has stretched the axes to what was added.
	chart.X.Min, chart.X.Max, chart.Y.Min, chart.Y.Max = x.low, x.high, y.low, y.high
	canvas := vgsvg.New(width, height)
	chart.Draw(draw.New(canvas))
	var out strings.Builder
	if _, err := canvas.WriteTo(&out); err != nil {
		return "", err
	}
	return inline(out.String(), p.alt)
}

// width is less for what may go up and down at every point.
func (l line) width() vg.Length {
	if len(l.points) > 100 && !rising(l.points) {
		return 1.1
	}
	return 1.7
}

// scales are the axes that hold all points.
func (p picture) scales() (x, y scale) {
	var all [][][2]float64
	low, high := p.lines[0].points[0], p.lines[0].points[0]
	for _, l := range p.lines {
		all = append(all, l.points)
		for _, point := range l.points {
			for i, v := range point {
				low[i], high[i] = min(low[i], v), max(high[i], v)
			}
		}
	}
	if p.x.Log {
		x = logarithmic(p.x, low[0], high[0])
	} else {
		x = linear(p.x, low[0], high[0], false)
	}
	switch {
	case p.percentiles:
		y = ninesOf(p.y, all)
	case p.y.Log:
		y = logarithmic(p.y, low[1], high[1])
	default:
		y = linear(p.y, low[1], high[1], true)
	}
	return x, y
}

func (s scale) into(a *plot.Axis) {
	a.Scale = s.norm
	a.Tick.Marker = plot.ConstantTicks(s.ticks)
	a.Padding = 4
	a.LineStyle = draw.LineStyle{Color: colour(colourAxis), Width: 0.75}
	a.Tick.LineStyle = a.LineStyle
	a.Tick.Length = 4
	a.Label.Text = s.label
	a.Label.Padding = 3
	for _, style := range []*draw.TextStyle{&a.Tick.Label, &a.Label.TextStyle} {
		style.Color = colour(colourText)
		style.Font.Variant = "Sans"
		style.Font.Size = textSize
	}
}

var (
	styles = regexp.MustCompile(`style="[^"]*"`) // quotes in text are escaped: this is found in tags only
	colors = regexp.MustCompile(`#0102([0-9A-F]{2})`)
	fonts  = regexp.MustCompile(`font-(family|variant|weight|style):[^;"]*;?`)
)

// inline is the document as an element of the page: without prolog, namespaces and a size of its own, in the page's
// colours and font.
func inline(document, alt string) (template.HTML, error) {
	at := strings.Index(document, "<g ")
	if at < 0 {
		return "", fmt.Errorf("expected an SVG document with a group, found %.80q", document)
	}
	body := styles.ReplaceAllStringFunc(document[at:], func(style string) string {
		style = fonts.ReplaceAllString(style, "")
		return colors.ReplaceAllStringFunc(style, func(c string) string {
			i, err := strconv.ParseUint(c[len(c)-2:], 16, 8)
			if err != nil || int(i) >= len(names) {
				return c
			}
			return "var(--" + names[i] + ")"
		})
	})
	open := fmt.Sprintf(`<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, width.Points(), height.Points(), html.EscapeString(alt))
	return template.HTML(open + body), nil
}
