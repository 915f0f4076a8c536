"""Sources of audio for training: packages of Debian 12 and PyPI, and the folders of their audio.

No package is installed. Each package's copyright file has its licence; nothing is redistributed.
"""

# Debian package -> folder of its music: audio, or notes to render (tools.training.sounds.rendering). Files shorter than
# MIN_SONG_S are removed, so a folder may hold effects, too. An archive is a folder, named without its suffix.
MUSIC = {
    # Orchestral, soundtrack, ambient, folk
    "0ad-data": "usr/share/games/0ad/mods/public/public/audio/music",
    "adonthell-data": "usr/share/games/adonthell/games/wastesedge/audio",
    "ardentryst": "usr/share/games/ardentryst/Music",
    "asc-music": "usr/share/games/asc/music",
    "berusky2-data": "usr/share/games/berusky2/music",
    "colobot-common-sounds": "usr/share/games/colobot/music",
    "drascula-music": "usr/share/scummvm/drascula/audio",
    "enigma-data": "usr/share/games/enigma/music",
    "fillets-ng-data": "usr/share/games/fillets-ng/music",
    "flare-game": "usr/share/games/flare/mods/fantasycore/music",
    "freecol": "usr/share/games/freecol",
    "freedink-data": "usr/share/games/dink/dink/Sound",
    "freedroidrpg-data": "usr/share/freedroidrpg/data/sound/music",
    "freeorion-data": "usr/share/games/freeorion/default/data/sound",
    "funnyboat": "usr/share/games/funnyboat/data",
    "gigalomania-data": "usr/share/gigalomania/music",
    "glob2-data": "usr/share/games/glob2/data/zik",
    "hex-a-hop-data": "usr/share/games/hex-a-hop",
    "lincity-ng-data": "usr/share/games/lincity-ng/music",
    "lordsawar-data": "usr/share/games/lordsawar/music",
    "naev-data": "usr/share/naev/dat/snd/music",
    "openclonk-data": "usr/share/games/openclonk/Music.ocg",
    "pathological": "usr/share/games/pathological/music",
    "pink-pony-data": "usr/share/games/pink-pony/music",
    "planetblupi-music-ogg": "usr/share/planetblupi/music",
    "plee-the-bear-data": "usr/share/games/plee-the-bear/music",
    "raincat-data": "usr/share/games/raincat/data/music",
    "renpy-demo": "usr/share/games/renpy/demo/game",
    "searchandrescue-data": "usr/share/games/searchandrescue/music",
    "singularity-music": "usr/share/games/singularity/music",
    "trackballs-data": "usr/share/games/trackballs/music",
    "ufoai-music": "usr/share/games/ufoai/base/0music/music",
    "unknown-horizons": "usr/share/unknown-horizons/content/audio/music",
    "warzone2100-music": "usr/share/games/warzone2100/music",
    "wesnoth-1.16-music": "usr/share/games/wesnoth/1.16/data/core/music",
    "widelands-data": "usr/share/games/widelands/data/music",
    # Rock, metal, pop, electronic
    "amoebax-data": "usr/share/games/amoebax/music",
    "angrydd": "usr/share/games/angrydd/music",
    "brainparty-data": "usr/share/games/brainparty",
    "btanks-data": "usr/share/games/btanks/data/tunes",
    "caveexpress-data": "usr/share/games/caveexpress/sounds",
    "cube2-data": "usr/share/games/cube2/packages/music",
    "extremetuxracer-data": "usr/share/games/etr/music",
    "fretsonfire-songs-muldjord": "usr/share/games/fretsonfire/data/songs",
    "frozen-bubble-data": "usr/share/games/frozen-bubble/snd",
    "hedgewars-data": "usr/share/games/hedgewars/Data/Music",
    "krank": "usr/share/games/krank/sounds",
    "lomiri-sounds": "usr/share/sounds/lomiri/ringtones",
    "lugaru-data": "usr/share/games/lugaru/Sounds",
    "marsshooter-data": "usr/share/games/marsshooter/audio/music",
    "miceamaze": "usr/share/games/miceamaze/music",
    "nexuiz-music": "usr/share/games/nexuiz/data/music/sound/cdtracks",
    "pax-britannica-data": "usr/share/pax-britannica/audio",
    "performous": "usr/share/games/performous/themes/default",
    "powermanga-data": "usr/share/games/powermanga/sound",
    "redeclipse-data": "usr/share/games/redeclipse/data/sounds/music",
    "scorched3d-data": "usr/share/games/scorched3d/data/globalmods/none/data/music",
    "spacezero": "usr/share/spacezero/sounds",
    "starfighter-data": "usr/share/starfighter/music",
    "supertux-data": "usr/share/games/supertux2/music",
    "supertuxkart-data": "usr/share/games/supertuxkart/data/music",
    "teeworlds-data": "usr/share/games/teeworlds/data/audio",
    "torcs-data": "usr/share/games/torcs/data/music",
    "tuxfootball": "usr/share/games/tuxfootball/sound",
    "tuxtype-data": "usr/share/tuxtype/sounds",
    "vonsh": "usr/share/games/vonsh",
    "warmux-data": "usr/share/games/warmux/music",
    "wizznic-data": "usr/share/games/wizznic",
    "wordwarvi-sound": "usr/share/wordwarvi/sounds",
    "xmoto-data": "usr/share/games/xmoto/Textures/Musics",
    # Techno, breakbeat, drum and bass
    "a7xpg-data": "usr/share/games/a7xpg/sounds",
    "gunroar-data": "usr/share/games/gunroar/sounds",
    "mu-cade-data": "usr/share/games/mu-cade/sounds",
    "noiz2sa-data": "usr/share/games/noiz2sa/sounds",
    "rrootage-data": "usr/share/games/rrootage/sounds",
    "titanion-data": "usr/share/games/titanion/sounds",
    "torus-trooper-data": "usr/share/games/torus-trooper/sounds",
    # Notes: tracker modules, MIDI, projects
    "abe-data": "usr/share/games/abe/sounds",
    "bomberclone-data": "usr/share/games/bomberclone/music",
    "criticalmass-data": "usr/share/games/criticalmass",
    "hydrogen-data": "usr/share/hydrogen/data/demo_songs",
    "ironseed-data": "usr/share/games/ironseed/sound",
    "lmms-common": "usr/share/lmms/projects",
    "mma": "usr/share/doc/mma/examples",
    "open-invaders-data": "usr/share/open-invaders",
    "openttd-openmsx": "usr/share/games/openttd/baseset/openmsx",
    "pachi-data": "usr/share/pachi/music",
    "pekka-kana-2-data": "usr/share/games/pekka-kana-2/data/music",
    "pingus-data": "usr/share/games/pingus/data/music",
    "rafkill-data": "usr/share/games/rafkill/music",
    "ri-li-data": "usr/share/games/ri-li/Ri-li",
    "tecnoballz-data": "usr/share/games/tecnoballz/musics",
    "tomatoes-data": "usr/share/tomatoes/music",
}
# Whole packages that no training may use.
MUSIC_TEST = {
    "asterisk-moh-opsound-wav": "usr/share/asterisk/moh",
    "davegnukem-data": "usr/share/games/davegnukem/music",
    "fretsonfire-songs-sectoid": "usr/share/games/fretsonfire/data/songs",
    "hyperrogue-music": "usr/share/hyperrogue/music",
    "mazeofgalious-data": "usr/share/games/mazeofgalious/sound/jorito",
    "parsec47-data": "usr/share/games/parsec47/sounds",
    "pushover-data": "usr/share/pushover/themes",
    "rockdodger": "usr/share/rockdodger",
    "tumiki-fighters-data": "usr/share/games/tumiki-fighters/sounds",
    "zaz-data": "usr/share/games/zaz",
}
# Packages of PyPI with music: name -> version and folder
MUSIC_WHEELS = {
    "immich-memories-music": ("0.1.0", "immich_memories_music/tracks"),
    "mythril-agent-bgm": ("0.1.12", "mythril_agent_bgm/sounds"),
    "tqdj": ("0.0.2", "tqdj/music"),
}
# Folk tunes in ABC notation: name, version, folder
TUNES = "music21", "10.5.1", "music21/corpus"
# Recorded drums and loops for synthetic electronic music
DRUMS = "sonic-pi-samples", "usr/share/sonic-pi/samples"
# Debian package -> General MIDI sound font
SOUNDFONTS = {
    "fluid-soundfont-gm": "usr/share/sounds/sf2/FluidR3_GM.sf2",
    "timgm6mb-soundfont": "usr/share/sounds/sf2/TimGM6mb.sf2",
}

# (part, kind) -> Debian packages and the folders of their audio
NOT_MUSIC = {
    ("not-music", "speech"): {
        "asterisk-core-sounds-en-wav": "usr/share/asterisk/sounds",
        "asterisk-core-sounds-fr-wav": "usr/share/asterisk/sounds",
        "klettres-data": "usr/share/klettres",
    },
    ("not-music", "dialogues"): {
        "asterisk-core-sounds-ru-wav": "usr/share/asterisk/sounds",
        "codec2-examples": "usr/share/codec2/wav",
        "fillets-ng-data": "usr/share/games/fillets-ng/sound",
        "fillets-ng-data-cs": "usr/share/games/fillets-ng/sound",
        "fillets-ng-data-nl": "usr/share/games/fillets-ng/sound",
        "pocketsphinx-testdata": "usr/share/pocketsphinx/test/data",
    },
    ("not-music-test", "speech"): {
        "asterisk-core-sounds-es-wav": "usr/share/asterisk/sounds",
        "asterisk-core-sounds-it-wav": "usr/share/asterisk/sounds",
    },
    ("not-music", "effects"): {
        "megaglest-data": "usr/share/games/megaglest/techs",
        "lincity-ng-data": "usr/share/games/lincity-ng/sounds",
        "warmux-data": "usr/share/games/warmux/sound",
        "widelands-data": "usr/share/games/widelands/data/sound",
    },
    ("not-music", "ambience"): {"0ad-data": "usr/share/games/0ad/mods/public/public/audio/ambient"},
    ("not-music", "battles"): {
        "0ad-data": "usr/share/games/0ad/mods/public/public/audio/attack",
        "flare-game": "usr/share/games/flare/mods/fantasycore/soundfx",
        "freecol": "usr/share/games/freecol/default/resources/sound",
        "freeorion-data": "usr/share/games/freeorion/default/data/sound/combat",
        "openarena-081-misc": "usr/share/games/openarena/baseoa",
        "scorched3d-data": "usr/share/games/scorched3d/data/globalmods/apoc/data/wav",
        "ufoai-sound": "usr/share/games/ufoai/base/0snd",
    },
    ("not-music", "vehicles"): {
        "searchandrescue-data": "usr/share/games/searchandrescue/sounds",
        "simutrans-pak64": "usr/share/games/simutrans/pak/sound",
        "torcs-data": "usr/share/games/torcs/data/sound",
    },
    ("not-music", "interfaces"): {
        "bucklespring-data": "usr/share/buckle/wav",
        "deepin-sound-theme": "usr/share/sounds/deepin/stereo",
        "emacspeak": "usr/share/emacs/site-lisp/emacspeak/sounds",
        "foobillardplus-data": "usr/share/games/foobillardplus/data",
        "gnome-audio": "usr/share/sounds",
        "linphone-common": "usr/share/sounds/linphone",
        "oxygen-sounds": "usr/share/sounds",
        "psi-plus-sounds": "usr/share/psi-plus/sound",
        "sound-icons": "usr/share/sounds/sound-icons",
        "sound-theme-freedesktop": "usr/share/sounds/freedesktop/stereo",
        "yaru-theme-sound": "usr/share/sounds/Yaru/stereo",
    },
    ("not-music-test", "effects"): {
        "boswars-data": "usr/share/games/boswars/units",
        "endless-sky-data": "usr/share/games/endless-sky/sounds",
    },
    ("not-music-test", "words"): {"ktuberling-data": "usr/share/ktuberling/sounds"},
}
# Sources of PyPI: name, version, folder
CITY = "soundscapy", "0.3.8", "test/data/"  # eight recordings of streets and parks: four for training, four for tests
BIRDS = "opensoundscape", "0.13.0", "opensoundscape/sample_data/"
# Difference of each kind of test audio from the training audio, a column in the tables of tools.study_model.
TEST_DIFFERENCES = {
    "birds": "real recordings; synthetic chirps in training",
    "chirps": "same generator, other random seed",
    "city": "other recordings of the same collection",
    "effects": "other games",
    "noises": "same generator, other random seed",
    "speech": "other languages of the same telephone prompts, 8 kHz",
    "synthetic-speech": "same synthesiser, other voices",
    "tones": "same generator, other random seed",
    "words": "speakers of another program, most at 44.1 kHz; some languages are the same",
}
