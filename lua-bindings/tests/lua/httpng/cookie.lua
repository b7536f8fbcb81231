local cookie = require('httpng').cookie
same(cookie { name = 'a', value = '' }, 'a=')
same(cookie { name = 'sid', value = 'x/y=' }, 'sid=x/y=')
same(cookie {
    name = '__Host-sid', value = '42', path = '/', max_age = 3600, expires = 784111777,
    secure = true, http_only = true, same_site = 'Lax', partitioned = true,
}, '__Host-sid=42; Path=/; Max-Age=3600; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Secure; HttpOnly; '
    .. 'SameSite=Lax; Partitioned')
same(cookie { name = 'a', value = '1', domain = 'example.org', max_age = -1 },
    'a=1; Domain=example.org; Max-Age=-1')
same(cookie { name = 'a', value = '1', secure = false, http_only = false }, 'a=1')

-- Nothing gets in that would be another attribute, another line, or ignored.
for byte = 0, 255 do
    local char = string.char(byte)
    local is_octet = byte == 0x21 or byte >= 0x23 and byte <= 0x2b or byte >= 0x2d and byte <= 0x3a
        or byte >= 0x3c and byte <= 0x5b or byte >= 0x5d and byte <= 0x7e
    same((pcall(cookie, { name = 'a', value = char })), is_octet, 'byte ' .. byte)
    if byte < 32 or char == ';' then
        raises('path has a byte', cookie, { name = 'a', value = '', path = '/' .. char })
        raises('domain has a byte', cookie, { name = 'a', value = '', domain = char })
    end
end
raises('a table is expected', cookie)
raises('there is no "maxage"', cookie, { name = 'a', value = '1', maxage = 1 })
raises('value is not a string', cookie, { name = 'a', value = 1 })
raises('name is no token', cookie, { name = 'a b', value = '1' })
raises('name is no token', cookie, { value = '1' })
raises('value has a byte', cookie, { name = 'a' })
raises('max_age is no whole number', cookie, { name = 'a', value = '1', max_age = 1.5 })
raises('expires is no whole number', cookie, { name = 'a', value = '1', expires = math.huge })
raises('same_site is not', cookie, { name = 'a', value = '1', same_site = 'loose' })
raises('it has to be secure', cookie, { name = 'a', value = '1', same_site = 'None' })
raises('it has to be secure', cookie, { name = '__Secure-a', value = '1' })
raises('the path "/" and no domain', cookie, { name = '__Host-a', value = '1', secure = true })
