// SPDX-License-Identifier: Apache-2.0

/// Completion scripts of the three shells. Names of distributions and certificates are asked from
/// `atoll __complete` when the key is pressed.
enum Completions {
  /// File names, as the shells look for them, with their contents.
  static func all() -> [(name: String, text: String)] {
    [("atoll.bash", bash()), ("_atoll", zsh()), ("atoll.fish", fish())]
  }

  static let license = "# SPDX-License-Identifier: Apache-2.0\n"
  /// `home` stands for the option --home of the line, when it has one.
  static func names(_ kind: String, home: String) -> String {
    "atoll \(home) __complete \(kind) 2>/dev/null"
  }

  static var commands: [CommandDefinition] {
    Atoll.commands.map { $0.definition }.filter { !$0.isHidden }
  }

  static var groups: [CommandDefinition] { commands.filter { !$0.verbs.isEmpty } }

  /// What has arguments and options of its own: commands without verbs, and the verbs.
  private static var leaves: [CommandDefinition] {
    commands.flatMap { $0.verbs.isEmpty ? [$0] : $0.verbs }
  }

  /// Of all groups, each once.
  private static var verbs: [String] {
    var result: [String] = []
    for verb in groups.flatMap({ $0.verbs.map(\.verb) }) where !result.contains(verb) {
      result.append(verb)
    }
    return result
  }

  // MARK: bash

  private static func bash() -> String {
    var text =
      license + """

        # Completes the values of kind $1 that begin with $2.
        _atoll_values() {
          case $1 in
            file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
            directory) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$2") ;;
            distribution | certificate)
              mapfile -t COMPREPLY < <(compgen -W "$(\(names("$1s", home: #""${home[@]}""#)))" -- "$2") ;;
            words:*) mapfile -t COMPREPLY < <(compgen -W "${1#words:}" -- "$2") ;;
          esac
        }

        _atoll() {
          local commands='\(commands.map(\.name).joined(separator: " "))'
          local groups='\(groups.map(\.name).joined(separator: " "))'
          local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
          local command='' word index options='' valued='' values=''
          local arguments='' position=0 words=() home=()
          COMPREPLY=()

          # The shell splits --option=value at the equals sign.
          if [[ $current == '=' ]]; then
            current=''
          elif [[ $previous == '=' ]]; then
            previous=${COMP_WORDS[COMP_CWORD - 2]}
          fi

          for word in "${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
            [[ $word == '=' ]] || words+=("$word")
          done

          for ((index = 0; index + 1 < ${#words[@]}; index++)); do
            [[ ${words[index]} == --home ]] && home=(--home "${words[index + 1]/#\\~/$HOME}")
          done

          for ((index = 0; index < ${#words[@]}; index++)); do
            word=${words[index]}
            case $word in
              --home | --color) ((index++)) ;;
              -*) ;;
              *)
                command+=${command:+ }$word
                # A verb follows.
                [[ " $groups " == *" $command "* ]] || break
                ;;
            esac
          done


        """
    text += "  case $command in\n"
    for group in groups {
      text += "    \(group.name))\n"
      text += "      options=" + quoted(spellings(group.allOptions).joined(separator: " ")) + "\n"
      text += "      case $previous in\n"
      for option in group.allOptions where !option.isFlag {
        text += "        \(option.spelling)) values=\(quoted(bashKind(option))) ;;\n"
      }
      text += "      esac\n"
      text += "      if [[ -z $values && $current != -* ]]; then\n"
      text +=
        "        values=" + quoted(bashWords(group.verbs.map(\.verb))) + "\n      fi\n      ;;\n"
    }
    for command in leaves {
      let options = command.allOptions
      text += "    \(command.name.contains(" ") ? quoted(command.name) : command.name))\n"
      text += "      options=" + quoted(spellings(options).joined(separator: " ")) + "\n"
      let kinds = options.filter { !$0.isFlag }
      text += "      valued=" + quoted(spellings(kinds).joined(separator: " ")) + "\n"
      text += "      case $previous in\n"
      for option in kinds {
        text += "        \(option.spelling)) values=\(quoted(bashKind(option))) ;;\n"
      }
      text += "      esac\n"
      for (index, argument) in command.arguments.enumerated() {
        let kind = bashKind(argument.completion)
        guard !kind.isEmpty else { continue }
        let isLast = index == command.arguments.count - 1 && argument.isRepeatable
        text += "      arguments+=" + quoted("\(index + 1)\(isLast ? "+" : "")=\(kind);") + "\n"
      }
      text += "      ;;\n"
    }
    text += """
          *)
            options=\(quoted(spellings(CommonOptions.everywhere + [Overview.version.definition]).joined(separator: " ")))
            case $previous in
              --home) values=directory ;;
              --color) values='words:auto always never' ;;
            esac
            if [[ -z $values && $current != -* ]]; then
              values=words:$commands
            fi
            ;;
        esac

        if [[ -n $values ]]; then
          _atoll_values "$values" "$current"
          return
        fi
        if [[ $current == -* ]]; then
          mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
          return
        fi

        # Which argument this is; options and their values are not counted.
        for ((index++; index < ${#words[@]}; index++)); do
          word=${words[index]}
          case $word in
            -*) [[ " $valued " == *" $word "* ]] && ((index++)) ;;
            *) ((position++)) ;;
          esac
        done
        ((position++))
        while [[ -n $arguments ]]; do
          word=${arguments%%;*}
          arguments=${arguments#*;}
          index=${word%%=*}
          if [[ $index == "$position" || ($index == *+ && $position -ge ${index%+}) ]]; then
            _atoll_values "${word#*=}" "$current"
            return
          fi
        done
      }

      complete -F _atoll atoll

      """
    return text
  }

  private static func spellings(_ options: [OptionDefinition]) -> [String] {
    options.map(\.spelling)
  }

  private static func bashKind(_ option: OptionDefinition) -> String {
    option.choices.isEmpty
      ? bashKind(option.completion, fallback: "none") : bashWords(option.choices)
  }

  private static func bashWords(_ words: [String]) -> String {
    "words:" + words.joined(separator: " ")
  }

  private static func bashKind(_ completion: Completion, fallback: String = "") -> String {
    switch completion {
    case .nothing: fallback
    case .file: "file"
    case .directory: "directory"
    case .distribution: "distribution"
    case .certificate: "certificate"
    case .command: bashWords(commands.map(\.name))
    case .verb: bashWords(verbs)
    }
  }

  // MARK: zsh

  private static func zsh() -> String {
    var text = "#compdef atoll\n" + license
    text += """

      _atoll_names() {
        local -a names home
        local given=${opt_args[--home]:-$_atoll_home}
        [[ -n $given ]] && home=(--home ${~${(Q)given}})
        names=(${(f)"$(\(names("$1s", home: "$home")))"})
        _describe -t $1s $1 names
      }

      _atoll_commands() {
        local -a commands
        commands=(
      \(commands.map { "    " + quoted("\($0.name):\($0.summary)") }.joined(separator: "\n"))
        )
        _describe -t commands command commands
      }

      _atoll_verbs() {
        local -a verbs
        case $1 in

      """
    for group in groups {
      text += "    \(group.name))\n      verbs=(\n"
      for verb in group.verbs { text += "        " + quoted("\(verb.verb):\(verb.summary)") + "\n" }
      text += "      )\n      ;;\n"
    }
    text += """
        esac
        _describe -t verbs verb verbs
      }

      _atoll() {
        local context state state_descr line
        typeset -A opt_args
        _arguments -A '-*' -C \\
      \(zshOptions(CommonOptions.everywhere + [Overview.version.definition], indent: "    ")) \\
          '1: :_atoll_commands' \\
          '*:: :->arguments' && return
        local _atoll_home=${opt_args[--home]}

        case $line[1] in

      """
    for command in commands {
      text += "    \(command.name))\n"
      if command.verbs.isEmpty {
        text += zshArguments(command, indent: "      ")
      } else {
        text += "      _arguments -A '-*' -C \\\n"
        text += zshOptions(command.allOptions, indent: "        ") + " \\\n"
        text += "        '1: :_atoll_verbs \(command.name)' \\\n"
        text += "        '*:: :->arguments' && return\n"
        text += "      _atoll_home=${opt_args[--home]:-$_atoll_home}\n"
        text += "      case $line[1] in\n"
        for verb in command.verbs {
          text += "        \(verb.verb))\n" + zshArguments(verb, indent: "          ")
          text += "          ;;\n"
        }
        text += "      esac\n"
      }
      text += "      ;;\n"
    }
    text += """
        esac
      }

      if [[ $funcstack[1] == _atoll ]]; then
        _atoll "$@"
      else
        compdef _atoll atoll
      fi

      """
    return text
  }

  private static func zshArguments(_ command: CommandDefinition, indent: String) -> String {
    var text = indent + "_arguments -s \\\n"
    text += zshOptions(command.allOptions, indent: indent + "  ")
    for (index, argument) in command.arguments.enumerated() {
      let position = argument.isRepeatable ? "*" : "\(index + 1)"
      let optional = argument.isOptional && !argument.isRepeatable ? ":" : ""
      let spec = "\(position):\(optional)\(argument.name):" + zshAction(argument.completion)
      text += " \\\n\(indent)  " + quoted(spec)
    }
    return text + "\n"
  }

  private static func zshOptions(_ options: [OptionDefinition], indent: String) -> String {
    options.map { option in
      let meaning = zshEscaped(option.summary)
      var value = ""
      if let placeholder = option.placeholder {
        let action =
          option.choices.isEmpty
          ? zshAction(option.completion)
          : "(" + option.choices.joined(separator: " ") + ")"
        value = ":\(zshEscaped(placeholder)):\(action)"
      }
      let star = option.isRepeatable ? "*" : ""
      let equals = option.isFlag ? "" : "="
      var lines = [indent + quoted("\(star)\(option.spelling)\(equals)[\(meaning)]\(value)")]
      if let letter = option.letter {
        lines.append(indent + quoted("\(star)-\(letter)[\(meaning)]\(value)"))
      }
      return lines.joined(separator: " \\\n")
    }.joined(separator: " \\\n")
  }

  private static func zshAction(_ completion: Completion) -> String {
    switch completion {
    case .nothing: " "
    case .file: "_files"
    case .directory: "_files -/"
    case .distribution: "_atoll_names distribution"
    case .certificate: "_atoll_names certificate"
    case .command: "_atoll_commands"
    case .verb: "(" + verbs.joined(separator: " ") + ")"
    }
  }

  /// Brackets end a description and colons a field.
  private static func zshEscaped(_ text: String) -> String {
    var result = ""
    for character in text {
      if "[]:\\".contains(character) { result += "\\" }
      result.append(character)
    }
    return result
  }

  // MARK: fish

  private static func fish() -> String {
    var text =
      license + """

        # The names of the kind $argv[1] in the store.
        function __atoll_names
          set -l words (commandline -opc)
          set -l home
          for index in (seq (count $words))
            switch $words[$index]
              case --home
                set home --home $words[(math $index + 1)]
              case '--home=*'
                set home $words[$index]
            end
          end
          \(names("$argv[1]", home: "$home"))
        end

        # The words before the one being written, without options and their values.
        function __atoll_words
          set -l words (commandline -opc)
          set -l isValue 0
          for word in $words[2..-1]
            if test $isValue -eq 1
              set isValue 0
            else if contains -- $word \(fishValued)
              set isValue 1
            else if not string match -q -- '-*' $word
              printf '%s\\n' $word
            end
          end
        end

        # Whether $argv are the first of those words.
        function __atoll_command
          set -l words (__atoll_words)
          set -l count (count $argv)
          test (count $words) -ge $count; and test "$words[1..$count]" = "$argv"
        end

        # Whether so many of them precede the one being written, or with a + as many or more.
        function __atoll_position
          set -l count (count (__atoll_words))
          test $count -eq $argv[1]; or test "$argv[2]" = + -a $count -gt $argv[1]
        end

        complete -c atoll -f

        """
    for command in commands {
      text += "complete -c atoll -n '__atoll_position 0' -a \(command.name) "
      text += "-d \(fishQuoted(command.summary))\n"
    }
    for option in CommonOptions.everywhere + [Overview.version.definition] {
      text += fishOption(option, when: "__atoll_position 0")
    }
    for group in groups {
      let place = "__atoll_command \(group.name); and __atoll_position 1"
      text += "\n"
      for verb in group.verbs {
        text += "complete -c atoll -n \(fishQuoted(place)) -a \(verb.verb) "
        text += "-d \(fishQuoted(verb.summary))\n"
      }
      for option in group.allOptions { text += fishOption(option, when: place) }
    }
    for command in leaves {
      let seen = "__atoll_command \(command.name)"
      // The words of its name.
      let first = command.name.split(separator: " ").count
      text += "\n"
      for option in command.allOptions { text += fishOption(option, when: seen) }
      for (index, argument) in command.arguments.enumerated() {
        let action = fishAction(argument.completion)
        guard !action.isEmpty else { continue }
        let place = "; and __atoll_position \(first + index)" + (argument.isRepeatable ? " +" : "")
        text += "complete -c atoll -n \(fishQuoted(seen + place)) \(action)\n"
      }
    }
    return text
  }

  /// Every option whose value may be the next word.
  private static var fishValued: String {
    let valued = (CommonOptions.everywhere + leaves.flatMap(\.allOptions)).filter { !$0.isFlag }
    let spellings = valued.flatMap { [$0.spelling] + ($0.letter.map { ["-\($0)"] } ?? []) }
    return Set(spellings).sorted().joined(separator: " ")
  }

  private static func fishOption(_ option: OptionDefinition, when condition: String) -> String {
    var text = "complete -c atoll -n \(fishQuoted(condition)) -l \(option.name)"
    if let letter = option.letter { text += " -s \(letter)" }
    if !option.isFlag {
      text += " -r"
      if option.choices.isEmpty {
        let action = fishAction(option.completion)
        text += action.isEmpty ? " -f" : " " + action
      } else {
        text += " -f -a \(fishQuoted(option.choices.joined(separator: " ")))"
      }
    }
    return text + " -d \(fishQuoted(option.summary))\n"
  }

  private static func fishAction(_ completion: Completion) -> String {
    switch completion {
    case .nothing: ""
    case .file: "-F"
    case .directory: "-f -a '(__fish_complete_directories)'"
    case .distribution: "-f -a '(__atoll_names distributions)'"
    case .certificate: "-f -a '(__atoll_names certificates)'"
    case .command: "-f -a '\(commands.map(\.name).joined(separator: " "))'"
    case .verb: "-f -a '\(verbs.joined(separator: " "))'"
    }
  }

  private static func fishQuoted(_ text: String) -> String {
    var result = "'"
    for character in text {
      if character == "'" || character == "\\" { result += "\\" }
      result.append(character)
    }
    return result + "'"
  }

  /// In single quotes, for bash and zsh.
  private static func quoted(_ text: String) -> String {
    "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
      + "'"
  }
}
