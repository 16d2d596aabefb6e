{#
  A text as an e-mail address in lower case; null if it is none. The hash of an address is an address
  with the same domain, so that both match alike.
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

{# A name in its form for comparisons. #}
{% macro folded(name) %}nullif(lower(trim({{ name }})), ''){% endmacro %}

{#
  The texts at keys of a JSON object, ignoring the case of keys. Only texts and lists of texts, since
  other values have a different text when hashed.
#}
{% macro texts_at(json, names, lists=false) %}{{ adapter.dispatch("texts_at")(json, names, lists) }}{% endmacro %}

{% macro duckdb__texts_at(json, names, lists) %}
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

{% macro spark__texts_at(json, names, lists) %}
  flatten(transform(
    filter(
      coalesce(json_object_keys({{ json }}), array()),
      key -> lower(key) in ({% for name in names %}'{{ name }}'{{ ", " if not loop.last }}{% endfor %})
    ),
    key -> case
      when from_json({{ json }}, 'map<string,variant>')[key]::string is not null
        and schema_of_variant(from_json({{ json }}, 'map<string,variant>')[key]) = 'STRING'
        then array(from_json({{ json }}, 'map<string,variant>')[key]::string)
      {% if lists -%}
      when schema_of_variant(from_json({{ json }}, 'map<string,variant>')[key]) like 'ARRAY%'
        then cast(from_json({{ json }}, 'map<string,variant>')[key] as array<string>)
      {%- endif %}
      else array()
    end
  ))
{% endmacro %}

{#
  The keys that identify an account, each with its step of matching. Deleted records have none.
#}
{% macro account_keys() %}
    with accounts as (
        select
            id as account_id,
            {{ folded("name") }} as name,
            {{ web_domain("website") }} as domain
        from {{ source("salesforce", "account") }}
        where not is_deleted
    ),

    addresses as (
        select 'contact_email' as key_kind, {{ address("contact.email") }} as address, account_id
        from {{ source("salesforce", "contact") }} as contact
        inner join accounts using (account_id)
        where not contact.is_deleted
        union all
        select 'lead_email', {{ address("lead.email") }}, accounts.account_id
        from {{ source("salesforce", "lead") }} as lead
        inner join accounts on lead.converted_account_id = accounts.account_id
        where not lead.is_deleted and lead.is_converted
    )

    select step, way, key_kind, key, account_id
    from (
        select 1 as step, 'email' as way, key_kind, address as key, account_id from addresses
        union
        select 2, 'domain', 'account_website', domain, account_id from accounts
        union
        select 3, 'domain', 'contact_domain', {{ domain_of("address") }}, account_id
        from addresses
        where key_kind = 'contact_email'
        union
        select 4, 'group', 'account_name', name, account_id from accounts
    ) as known
    where key is not null
{% endmacro %}

{# Users whose history changed; all chat users if a chat source has changed. #}
{% macro touch_customer_keys() %}
{% if is_in_part() %}
  create or replace temp table touched_customer_keys as
    select distinct 'product_user' as kind, cast(person_id as {{ text_type() }}) as subject_id
    from {{ changes_of("user_enhanced") }}
    union
    select kind, subject_id from {{ changes_of("client_tickets") }}
    {% if source_has_changed("drift", "contacts") or source_has_changed("drift", "accounts") %}
    union
    select distinct kind, subject_id from {{ this }} where kind in ('chat_contact', 'chat_account')
    union
    select 'chat_contact', cast(id as {{ text_type() }}) from {{ source("drift", "contacts") }}
    union
    select 'chat_account', account_id from {{ source("drift", "accounts") }}
    {% endif %};
{% endif %}
{% endmacro %}

{% macro log_customer_keys() %}
{% if is_in_part() %}
  insert into novade.changes (model, generation, kind, subject_id)
    select {{ quoted_model() }}, {{ this_generation() }}, kind, subject_id
    from touched_customer_keys;
{% endif %}
{% endmacro %}

{# Users whose keys have changed, or who have a key that an account has gained or lost. #}
{% macro touch_customer_matches() %}
  create or replace temp table present_account_key as
    {{ account_keys() }};
{% if is_in_part() %}
  create or replace temp table changed_account_key as
    select distinct way, key
    from (
      (select * from present_account_key except select * from novade.account_key)
      union all
      (select * from novade.account_key except select * from present_account_key)
    ) as changed;
  create or replace temp table touched_customer_matches as
    select kind, subject_id from {{ changes_of("customer_keys") }}
    union
    select known.kind, known.subject_id
    from {{ ref("customer_keys") }} as known
    inner join changed_account_key using (way, key);
{% endif %}
  create or replace table novade.account_key as select * from present_account_key;
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
