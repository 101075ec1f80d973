{#- The names of a group joined by ' › ', the one with the greatest distance first. -#}
{% macro path_of_names(name, distance) -%}
    {{ return(adapter.dispatch('path_of_names')(name, distance)) }}
{%- endmacro %}

{% macro default__path_of_names(name, distance) -%}
    string_agg({{ name }}, ' › ' order by {{ distance }} desc)
{%- endmacro %}

{% macro spark__path_of_names(name, distance) -%}
    array_join(transform(
        array_sort(collect_list(struct(-{{ distance }} as place, {{ name }} as name))), step -> step.name
    ), ' › ')
{%- endmacro %}
