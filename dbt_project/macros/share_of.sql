{#- An amount times a weight of at most 1, exact, with room for any amount the CRM can hold. -#}
{% macro share_of(amount, weight) -%}
    cast({{ amount }} as decimal(28, 2)) * {{ weight }}
{%- endmacro %}
