package http1

// readMethod reads empty lines, the method and the space after it.
func (p *Parser) readMethod(in []byte) *Error {
	c := in[p.pos]
	switch p.phase {
	case phaseLead:
		switch {
		case c == '\r':
			if p.emptyLines == emptyLinesMax {
				return errEmptyLines
			}
			p.emptyLines++
			p.phase = phaseLeadLF
			p.pos++
		case c == '\n':
			return errLineEnd
		case c == 0x16 && p.pos == 0: // content type of a TLS handshake record, RFC 8446 5.1
			return errTLS
		default:
			p.methodAt = p.pos
			p.phase = phaseMethod // which looks at c again
		}

	case phaseLeadLF:
		if c != '\n' {
			return errLineEnd
		}
		p.phase = phaseLead
		p.pos++

	case phaseMethod:
		n := tokenByte.run(in[p.pos:])
		p.pos += uint32(n)
		if p.pos-p.methodAt > methodBytesMax {
			return errMethod
		}
		if int(p.pos) == len(in) {
			return nil
		}
		method := in[p.methodAt:p.pos]
		switch c := in[p.pos]; {
		case c == '\r' || c == '\n':
			return errRequestLine
		case c != ' ' || len(method) == 0:
			return errMethod
		case string(method) == "CONNECT": // the only user of authority-form, RFC 9112 3.2.3
			return errConnect
		}
		p.pos++
		p.targetAt = p.pos
		p.phase = phaseTarget
	}
	return nil
}

// readTarget reads the request target (RFC 9112 3.2) and the space after it.
func (p *Parser) readTarget(in []byte, bytesMax int) *Error {
	if room := int(p.targetAt) + bytesMax; int(p.pos) < room {
		in = in[:min(len(in), room)]
	} else if c := in[p.pos]; c != ' ' && c != '\r' && c != '\n' {
		// what ends a target may follow it
		return errTargetLong
	}
	switch p.phase {
	case phaseTarget:
		return p.readTargetForm(in)
	case phaseAsterisk:
		return p.endTarget(in[p.pos], errTarget)
	case phaseScheme:
		return p.readScheme(in)
	case phaseAuthority:
		return p.readAuthority(in)
	case phasePath:
		return p.readPath(in)
	default:
		return p.readQuery(in)
	}
}

// readTargetForm tells the form of the target by its first byte.
func (p *Parser) readTargetForm(in []byte) *Error {
	switch c := in[p.pos]; {
	case c == '/':
		p.pathAt = p.pos
		p.phase = phasePath
	case c == '*' && string(in[p.methodAt:p.targetAt-1]) == "OPTIONS": // RFC 9112 3.2.4
		p.pathAt = p.pos
		p.phase = phaseAsterisk
	case lowerByte(c) == 'h':
		p.phase = phaseScheme
	case c == ' ' || c == '\r' || c == '\n':
		return errRequestLine
	case c > ' ' && c < 0x7f:
		return errTarget
	default:
		return errTargetByte
	}
	p.pos++
	return nil
}

// readScheme reads the rest of http:// or https://, letters in either case.
func (p *Parser) readScheme(in []byte) *Error {
	want := "http://"
	if s := in[p.targetAt:]; len(s) > 4 && lowerByte(s[4]) == 's' {
		want = "https://"
	}
	for int(p.pos) < len(in) {
		if lowerByte(in[p.pos]) != want[p.pos-p.targetAt] {
			return errTarget
		}
		p.pos++
		if int(p.pos-p.targetAt) == len(want) {
			p.authorityAt = p.pos
			p.phase = phaseAuthority
			return nil
		}
	}
	return nil
}

// readAuthority reads the host and port of an absolute-form, up to its path, query or end.
func (p *Parser) readAuthority(in []byte) *Error {
	for int(p.pos) < len(in) {
		c := in[p.pos]
		if c == ':' || c == '[' || c == ']' || hostByte.has(c) {
			p.pos++
			continue
		}
		authority := in[p.authorityAt:p.pos]
		if c != '/' && c != '?' && c != ' ' || len(authority) == 0 || !validHost(authority) {
			return errAuthority
		}
		p.authorityEnd = p.pos
		switch c {
		case '/':
			p.pathAt = p.pos
			p.phase = phasePath
		case '?':
			p.queryAt = p.pos + 1
			p.phase = phaseQuery
		default:
			return p.endTarget(c, nil)
		}
		p.pos++
		return nil
	}
	return nil
}

func (p *Parser) readPath(in []byte) *Error {
	if p.hexWanted > 0 {
		if err := p.readHex(in[p.pos]); err != nil {
			return err
		}
		if string(in[p.pos-3:p.pos]) == "%00" {
			return errPathNUL
		}
		return nil
	}
	p.pos += uint32(pathByte.run(in[p.pos:]))
	if int(p.pos) == len(in) {
		return nil
	}
	switch c := in[p.pos]; c {
	case '%':
		p.hexWanted = 2
	case '?':
		p.queryAt = p.pos + 1
		p.phase = phaseQuery
	default:
		return p.endTarget(c, errTargetByte)
	}
	p.pos++
	return nil
}

func (p *Parser) readQuery(in []byte) *Error {
	if p.hexWanted > 0 {
		return p.readHex(in[p.pos])
	}
	p.pos += uint32(queryByte.run(in[p.pos:]))
	if int(p.pos) == len(in) {
		return nil
	}
	if c := in[p.pos]; c != '%' {
		return p.endTarget(c, errTargetByte)
	}
	p.hexWanted = 2
	p.pos++
	return nil
}

// readHex reads one digit of a %XX.
func (p *Parser) readHex(c byte) *Error {
	if !hexByte.has(c) {
		return errEscape
	}
	p.hexWanted--
	p.pos++
	return nil
}

// endTarget expects c, the byte after the target, to be a space. A line that ends here has
// no version (HTTP/0.9); for any other byte, otherwise is the error.
func (p *Parser) endTarget(c byte, otherwise *Error) *Error {
	switch c {
	case ' ':
		p.targetEnd = p.pos
		p.pos++
		p.mark = p.pos
		p.phase = phaseVersion
		return nil
	case '\r', '\n':
		return errRequestLine
	default:
		return otherwise
	}
}

// readVersion reads HTTP/1.0 or HTTP/1.1 (case matters, RFC 9112 2.3) and the line's end.
func (p *Parser) readVersion(in []byte) *Error {
	for ; int(p.pos) < len(in) && p.phase < phaseLine; p.pos++ {
		c := in[p.pos]
		switch i := p.pos - p.mark; i {
		case 0, 1, 2, 3, 4, 6:
			if c != "HTTP/1."[i] {
				return errRequestLine
			}
		case 5:
			if !digitByte.has(c) {
				return errRequestLine
			}
			if c != '1' {
				return errVersion
			}
		case 7:
			if !digitByte.has(c) {
				return errRequestLine
			}
			if c > '1' {
				return errVersion
			}
			p.minor = c - '0'
		case 8:
			if c == '\n' {
				return errLineEnd
			}
			if c != '\r' {
				return errRequestLine
			}
			p.phase = phaseRequestLineLF
		default:
			if c != '\n' {
				return errLineEnd
			}
			p.fieldsAt = p.pos + 1
			p.phase = phaseLine
		}
	}
	return nil
}
