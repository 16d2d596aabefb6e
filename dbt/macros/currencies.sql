{#
  Amounts of several currencies. An organisation has several where its records say which is theirs
  (`CurrencyIsoCode`), and `CurrencyType` then tells the corporate one and what each of the others
  is worth. What is not known is null, never a sum of this and that.
#}

{# Whether records are expected to say their currency. #}
{% macro has_currencies() %}
  (
    select count(*) > 1 from {{ source("salesforce", "currency_type") }} where not is_deleted
  )
{% endmacro %}

{#
  The currency of sums: the corporate one; where that cannot be read, the only one that there is.
  Null in an organisation of one currency, whose records do not name it.
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
  What one of the corporate currency is worth in another: by the rate that is valid on a day, where
  there are dated rates and a day is asked for, else by today's.
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
  An amount in the currency of sums, to six places; null where that cannot be told. Salesforce
  itself has dated rates for opportunities only, by their close date.
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

{# A sum in the corporate currency, for `group by`; null where one of the amounts has no rate. #}
{% macro sum_of(corporate_amount, amount, condition="true") %}
  case
    when count({{ amount }}) filter ({{ condition }} and {{ corporate_amount }} is null) = 0
      then coalesce(sum({{ corporate_amount }}) filter ({{ condition }}), 0)
  end
{% endmacro %}
