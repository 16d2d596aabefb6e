{#
  Amounts of several currencies. If an organisation has several, its records have a `CurrencyIsoCode`,
  and `CurrencyType` has the corporate currency and the rates. An unknown amount is null; amounts of
  different currencies are never added.
#}

{# Whether records are expected to have a currency. #}
{% macro has_currencies() %}
  (
    select count(*) > 1 from {{ source("salesforce", "currency_type") }} where not is_deleted
  )
{% endmacro %}

{#
  The currency of sums: the corporate currency, or if that cannot be read, the only currency. Null in
  an organisation with one currency, whose records have none.
#}
{% macro corporate_currency() %}
  coalesce(
    (
      select min(iso_code) from {{ source("salesforce", "currency_type") }}
      where not is_deleted and is_corporate
    ),
    (
      select case when count(distinct currency_iso_code) = 1 then min(currency_iso_code) end
      from (
        select currency_iso_code from {{ source("salesforce", "opportunity") }} where not is_deleted
        union all
        select currency_iso_code from {{ source("salesforce", "order") }} where not is_deleted
      )
    )
  )
{% endmacro %}

{#
  The value of one unit of the corporate currency in another currency: by the dated rate of a day if
  there are dated rates and a day is given, else by the current rate.
#}
{% macro rate_of(currency, day=none) %}
  coalesce(
    {% if day %}
    (
      select max_by(dated.conversion_rate, dated.start_date)
      from {{ source("salesforce", "dated_conversion_rate") }} as dated
      where not dated.is_deleted and dated.iso_code = {{ currency }} and dated.start_date <= {{ day }}
    ),
    {% endif %}
    (
      select max(today.conversion_rate)
      from {{ source("salesforce", "currency_type") }} as today
      where not today.is_deleted and today.iso_code = {{ currency }}
    )
  )
{% endmacro %}

{#
  An amount in the currency of sums, to six places; null without a rate. Salesforce itself has dated
  rates for opportunities only, by their close date.
#}
{% macro in_corporate_currency(amount, currency, day=none) %}
  cast(
    case
      when {{ currency }} is null then case when not {{ has_currencies() }} then {{ amount }} end
      when {{ currency }} = {{ corporate_currency() }} then {{ amount }}
      else {{ exact_quotient(amount, rate_of(currency, day)) }}
    end as decimal(38, 6)
  )
{% endmacro %}

{# A sum in the corporate currency, for `group by`; null if an amount has no rate. #}
{% macro sum_of(corporate_amount, amount, condition="true") %}
  case
    when count({{ amount }}) filter ({{ condition }} and {{ corporate_amount }} is null) = 0
      then coalesce(sum({{ corporate_amount }}) filter ({{ condition }}), 0)
  end
{% endmacro %}
