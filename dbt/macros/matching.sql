{#
  The e-mail address that a text is, lower case; null where it is none. What a hash leaves of an
  address is one as well, with the same domain, so that both match alike.
#}
{% macro address(text) %}
  nullif(lower(regexp_extract({{ text }}, '^\s*([^@\s]+@[^@\s]+\.[^@\s.]+)\s*$', 1)), '')
{% endmacro %}

{# The domain of an e-mail address. #}
{% macro domain_of(address) %}nullif(split_part({{ address }}, '@', 2), ''){% endmacro %}

{# The domain of a web address, with or without scheme, `www.`, port and path. #}
{% macro web_domain(address) %}
  nullif(regexp_extract(
    lower(trim({{ address }})),
    '^(?:[a-z][a-z0-9+.-]*://)?(?:[^/@\s]*@)?(?:www\.)?([^/:?#@\s]+\.[^/:?#@\s.]+)',
    1
  ), '')
{% endmacro %}

{# A name as it is compared. #}
{% macro folded(name) %}nullif(lower(trim({{ name }})), ''){% endmacro %}

{#
  The texts at the keys of a JSON object that are called so, whatever their case. Only a text, or a
  list of them: of anything else a hash would make another text.
#}
{% macro texts_at(json, names, lists=false) %}
  flatten(list_transform(
    list_filter(
      coalesce(json_keys({{ json }}), []),
      lambda key: lower(key) in ({% for name in names %}'{{ name }}'{{ ", " if not loop.last }}{% endfor %})
    ),
    lambda key: case json_type({{ json }}, '$."' || key || '"')
      when 'VARCHAR' then [json_extract_string({{ json }}, '$."' || key || '"')]
      {% if lists -%}
      when 'ARRAY' then cast(json_extract({{ json }}, '$."' || key || '"') as varchar[])
      {%- endif %}
      else []
    end
  ))
{% endmacro %}

{#
  Providers that give an address to anybody: their domain says nothing of an employer. Those with
  most mailboxes, by the lists that mail servers and sign-up forms use; `freemail.example` is the
  sandbox's.
#}
{% macro is_public_mailbox(domain) %}
  {{ domain }} in (
    {%- for name in [
      "126.com", "163.com", "aim.com", "aliyun.com", "aol.com", "att.net", "bellsouth.net",
      "bigpond.com", "bluewin.ch", "bol.com.br", "btinternet.com", "charter.net", "comcast.net",
      "cox.net", "duck.com", "earthlink.net", "fastmail.com", "foxmail.com", "free.fr",
      "freemail.example", "freenet.de", "gmail.com", "gmx.at", "gmx.ch", "gmx.com", "gmx.de",
      "gmx.net", "googlemail.com", "hey.com", "hotmail.ca", "hotmail.co.uk", "hotmail.com",
      "hotmail.de", "hotmail.es", "hotmail.fr", "hotmail.it", "hushmail.com", "icloud.com",
      "inbox.com", "inbox.lv", "interia.pl", "laposte.net", "libero.it", "list.ru", "live.ca",
      "live.co.uk", "live.com", "live.fr", "live.nl", "mac.com", "mail.com", "mail.ru", "me.com",
      "msn.com", "naver.com", "ntlworld.com", "o2.pl", "online.de", "optonline.net", "orange.fr",
      "outlook.com", "outlook.de", "outlook.es", "outlook.fr", "outlook.it", "pm.me", "proton.me",
      "protonmail.com", "qq.com", "rambler.ru", "rediffmail.com", "rocketmail.com", "rogers.com",
      "sbcglobal.net", "seznam.cz", "sfr.fr", "shaw.ca", "sina.com", "sky.com", "sympatico.ca",
      "t-online.de", "telenet.be", "terra.com.br", "tiscali.it", "tutanota.com", "uol.com.br",
      "verizon.net", "virgilio.it", "virginmedia.com", "wanadoo.fr", "web.de", "wp.pl", "yahoo.ca",
      "yahoo.co.in", "yahoo.co.jp", "yahoo.co.uk", "yahoo.com", "yahoo.com.br", "yahoo.de",
      "yahoo.es", "yahoo.fr", "yahoo.it", "yandex.com", "yandex.ru", "ymail.com", "zoho.com",
    ] %}
    '{{ name }}'{{ "," if not loop.last }}
    {%- endfor %}
  )
{% endmacro %}
