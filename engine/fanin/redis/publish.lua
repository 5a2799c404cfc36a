-- Publishes an event to a topic of ssedge: adds it to the topic's history, and sends it to all
-- edges that have subscribers of it. Answers its id, and "new" or "dup".
--
-- keys[1]  the key of the topic's history, which is also its channel: the prefix (sse:) and the topic; with partitions the
--          partition's tag between them, as in sse:{17}news, and the channel is that without the topic (ssedge redis key).
--          It is the only declared key, so that publishing goes on while its slot moves between masters.
-- args     data, event's name, idempotency key, reconnection time (ms); all but the first may be left out
--
-- What breaks the rule of package rule is refused with its words (settings.expected) before
-- anything is read or written.

-- shape is the pattern of a character that begins with this byte, nil if none does (RFC 3629).
local function shape(lead)
  if lead < 194 or lead > 244 then return nil end
  if lead < 224 then return '[\194-\223][\128-\191]' end
  if lead == 224 then return '\224[\160-\191][\128-\191]' end
  if lead == 237 then return '\237[\128-\159][\128-\191]' end
  if lead < 240 then return '[\225-\236\238\239][\128-\191][\128-\191]' end
  if lead == 240 then return '\240[\144-\191][\128-\191][\128-\191]' end
  if lead == 244 then return '\244[\128-\143][\128-\191][\128-\191]' end
  return '[\241-\243][\128-\191][\128-\191][\128-\191]'
end

-- utf8_ok reports whether text is UTF-8. ASCII takes one scan. Of what is left from the first
-- other byte on, all characters of that byte's shape become a byte of ASCII each, and so on: a byte
-- that begins a character never continues one, so what remains of a shape that had its turn is
-- broken. Figures stand in README.md.
local function utf8_ok(text)
  local done = {}
  while true do
    local at = string.match(text, '^[^\128-\255]*()')
    if at > #text then return true end
    local pattern = shape(string.byte(text, at))
    if not pattern or done[pattern] then return false end
    done[pattern] = true
    text = string.gsub(string.sub(text, at), pattern, 'x')
  end
end

-- quoted is text of bounded length that is safe to show.
local function quoted(text)
  local shown = string.gsub(string.sub(text, 1, 40), '[^ !#-\91%]\94-~]', function(c) return string.format('\\x%02x', string.byte(c)) end)
  return '"' .. shown .. '"' .. (#text > 40 and '... (' .. #text .. ' bytes)' or '')
end

local function refusal(expected, found) return redis.error_reply('ERR expected ' .. expected .. (found and ', found ' .. found or '')) end

-- trimmed is text without what clients take for white space around it, as package rule has it.
local function trimmed(text)
  local blank = {['\194\133'] = 2, ['\194\160'] = 2, ['\225\154\128'] = 3, ['\226\128\168'] = 3, ['\226\128\169'] = 3,
    ['\226\128\175'] = 3, ['\226\129\159'] = 3, ['\227\128\128'] = 3, ['\239\187\191'] = 3}
  for last = 128, 138 do blank['\226\128' .. string.char(last)] = 3 end
  local from, to = 1, #text
  while from <= to do
    local n = string.byte(text, from) <= 32 and 1 or blank[string.sub(text, from, from + 1)] or blank[string.sub(text, from, from + 2)]
    if not n then break end
    from = from + n
  end
  while from <= to do
    local n = string.byte(text, to) <= 32 and 1 or blank[string.sub(text, to - 1, to)] or blank[string.sub(text, to - 2, to)]
    if not n then break end
    to = to - n
  end
  return string.sub(text, from, to)
end

-- own reports whether clients may take an event's name for one of the server's own.
local function own(name)
  name = trimmed(name)
  return settings.own[name] or string.sub(name, 1, #settings.own_prefix) == settings.own_prefix
end

-- slot is the slot of a key without braces, as Redis Cluster has it: CRC16 (XMODEM), a byte at a time and without a table.
local function slot(text)
  local bxor, rshift, band = bit.bxor, bit.rshift, bit.band
  local crc = 0
  for at = 1, #text do
    local x = bxor(rshift(crc, 8), string.byte(text, at))
    x = bxor(x, rshift(x, 4))
    crc = band(bxor(crc * 256, x * 4096, x * 32, x), 65535)
  end
  return crc % 16384
end

-- partition is the tag of a topic's partition.
local function partition(topic)
  local wide = settings.tag_width
  local at = math.floor(slot(topic) * #settings.tags / wide / 16384) * wide
  return '{' .. string.match(string.sub(settings.tags, at + 1, at + wide), '%d+') .. '}'
end

-- broken is what of an event breaks the rule, and what was found; nil if nothing does. escaped
-- is the topic as it stands in a key.
local function broken(escaped, data, event, key, retry)
  local topic = string.gsub(escaped, '%%(%x%x)', {['25'] = '%', ['7B'] = '{', ['7D'] = '}'})
  if topic == '' or #topic > settings.topic_bytes or string.sub(topic, 1, 1) == settings.own_topic
    or string.find(topic, '[%z\1-\31\127]') or string.find(topic, '\194[\128-\159]') or not utf8_ok(topic) then
    return 'topic', quoted(topic)
  end
  if #key > settings.key_bytes or not utf8_ok(key) then return 'key', quoted(key) end
  if retry ~= '' and (#retry > 10 or not string.find(retry, '^[1-9]%d*$') or tonumber(retry) > settings.retry_max) then return 'retry', quoted(retry) end
  if #data + #event > settings.event_bytes then return 'size', #data + #event end
  if event ~= '' and own(event) or string.find(event, '[%z\r\n]') or not utf8_ok(event) then return 'event', quoted(event) end
  if not utf8_ok(data) then return 'data', quoted(data) end
end

local function ssedge_publish(keys, args)
  local stream, data = keys[1], args[1]
  local event, key, retry = args[2] or '', args[3] or '', args[4] or ''
  if not stream or not data or keys[2] or args[5] then
    return refusal('one key, that of a topic, and data, event name, idempotency key, reconnection time', #keys .. ' keys and ' .. #args .. ' arguments')
  end
  if string.sub(stream, 1, #settings.prefix) ~= settings.prefix then return refusal('a key that begins with ' .. settings.prefix, quoted(stream)) end
  local channel, topic = stream, string.sub(stream, #settings.prefix + 1)
  if settings.partitions then
    local tag, rest = string.match(topic, '^({%d+})(.*)$')
    if not tag then return refusal('the key of a partition, as in ' .. settings.prefix .. '{17}news (this function is for --fan-in=partition)', quoted(stream)) end
    channel, topic = settings.prefix .. tag, rest
  end
  local rest = string.gsub(topic, '%%(%x%x)', {['25'] = '', ['7B'] = '', ['7D'] = ''})
  if string.find(rest, '[{}%%]') then
    return refusal('%25, %7B and %7D for per cent and braces in a topic (this function is for --fan-in=' .. settings.fan_in .. ')', quoted(stream))
  end
  local what, found = broken(topic, data, event, key, retry)
  if what then return refusal(settings.expected[what], found) end
  if settings.partitions and settings.prefix .. partition(topic) ~= channel then
    return refusal('the key ' .. settings.prefix .. partition(topic) .. topic .. ' (ssedge redis key)', quoted(stream))
  end
  local used
  if key ~= '' then -- before anything is written: this may fail while the slot moves
    used = (settings.partitions and '' or '{') .. stream .. '}:i:' .. key -- in the same slot
    local id = redis.call('GET', used)
    if id and id ~= '' then return {id, 'dup'} end
    redis.call('SET', used, '', 'EX', settings.key_ttl) -- if this may not be written, nothing is published
  end
  local prev = '0-0'
  local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)
  if last[1] then prev = last[1][1] end
  local id = redis.call('XADD', stream, '*', 'p', prev, 'e', event, 'd', data, 'r', retry)
  local version, of, named = 's1 ', '', ''
  if settings.partitions then version, of, named = 's2 ', ' ' .. #topic, topic end
  if retry ~= '' then retry = ' ' .. retry end
  local sent = redis.pcall(settings.command, channel, '\0' .. version .. id .. ' ' .. prev .. ' ' .. #event .. of .. retry .. '\n' .. named .. event .. data)
  if type(sent) == 'table' and sent.err then -- it was sent to no subscriber: it was never published
    redis.call('XDEL', stream, id)
    redis.pcall('EXPIRE', stream, settings.ttl)
    return sent
  end
  -- It is published now, whatever becomes of the rest.
  local failed
  local function also(...)
    local answer = redis.pcall(...)
    if type(answer) == 'table' and answer.err then failed = failed or answer.err end
  end
  if used then also('SET', used, id, 'EX', settings.key_ttl) end
  also('XTRIM', stream, 'MAXLEN', '=', settings.events)
  also('XTRIM', stream, 'MINID', '=', string.format('%.0f', math.max(string.match(id, '^%d+') - settings.age, 0)))
  also('EXPIRE', stream, settings.ttl)
  if failed and settings.tells then return {id, 'new', failed} end
  return {id, 'new'}
end
